/* The variants of attention's two products: the list that spans.pyx chooses from. */
#ifndef MINENGINE_SIMD_SPANS_H
#define MINENGINE_SIMD_SPANS_H

#include "layout.h"

typedef void (*scores_fn)(const float *q, ptrdiff_t n_rows, ptrdiff_t width,
                          const void *const *keys, const void *const *next, ptrdiff_t n_keys,
                          float *scores, ptrdiff_t stride);
typedef void (*gather_fn)(const float *p, ptrdiff_t n_rows, ptrdiff_t stride,
                          const void *const *values, const void *const *next, ptrdiff_t n_keys,
                          float *out, ptrdiff_t width);

typedef struct {
    scores_fn scores;
    gather_fn gather;
} Products;

typedef struct {
    const char *name;
    Products floats, halves;  /* of rows of either */
} SpanKernels;

#define KERNELS "attend.h"
#include "choose.h"
#define SPAN_KERNELS(isa) \
    {#isa, {scores_floats_##isa, gather_floats_##isa}, {scores_halves_##isa, gather_halves_##isa}},
static const SpanKernels SPANS[] = {EACH_VARIANT(SPAN_KERNELS){0}};

#endif
