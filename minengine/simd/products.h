/* The variants of the integer product: the list that strips.pyx chooses from. */
#ifndef MINENGINE_SIMD_PRODUCTS_H
#define MINENGINE_SIMD_PRODUCTS_H

#include "layout.h"

#define KERNELS "integer.h"
#include "choose.h"
#define VARIANT(isa) {#isa, interleave_##isa, quantize_##isa, kernels_##isa, read_##isa, dots_##isa},
static const Variant VARIANTS[] = {EACH_VARIANT(VARIANT){0}};

#endif
