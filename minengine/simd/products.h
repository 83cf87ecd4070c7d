/* What strips.pyx chooses from: the variants of the integer product, and how memory is asked for. */
#ifndef MINENGINE_SIMD_PRODUCTS_H
#define MINENGINE_SIMD_PRODUCTS_H

#include "layout.h"

#define KERNELS "integer.h"
#include "choose.h"
#define VARIANT(isa)                                                                        \
    {#isa,           few_##isa,     asks_##isa, interleave_##isa,                             \
     quantize_##isa, kernels_##isa, read_##isa, dots_##isa},
static const Variant VARIANTS[] = {EACH_VARIANT(VARIANT){0}};

/* Whether blocks come in faster where each is asked for, scattered or not: on AMD's family 26 (Zen
 * 5) and after. The family before sees by itself what comes next, and asking disturbs it; others
 * were not measured. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
static inline int asks_for_all(void)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx) || ebx != 0x68747541) return 0;  /* "Auth" */
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx)
           && (eax >> 8 & 15) == 15 && 15 + (eax >> 20 & 255) >= 26;
}
#else
static inline int asks_for_all(void) { return 0; }
#endif

#endif
