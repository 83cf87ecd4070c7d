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

/* How memory that few tokens meet is asked for: blocks of scattered formats alone, every block, or a
 * little at a time within the kernels. */
enum { ASK_SCATTERED, ASK_ALL, ASK_KERNELS };

/* The best of them, of what was measured: AMD's Zen 4 (family 25 with AVX-512) sees by itself what
 * comes next, and asking disturbs it; Zen 5 (family 26) wants every block; Intel's Emerald Rapids
 * and Zen 3 want a little at a time. Of others it is a guess. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
static inline int best_asks(void)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, family;
    if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx) || ebx != 0x68747541) return ASK_KERNELS;  /* Auth */
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    family = (eax >> 8 & 15) + (eax >> 20 & 255);
    return family >= 26 ? ASK_ALL : variant_runs(0) ? ASK_SCATTERED : ASK_KERNELS;
}
#else
static inline int best_asks(void) { return ASK_SCATTERED; }
#endif

#endif
