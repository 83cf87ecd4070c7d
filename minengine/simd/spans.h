/* The variants of attention's two products: the list that spans.pyx chooses from. */
#ifndef MINENGINE_SIMD_SPANS_H
#define MINENGINE_SIMD_SPANS_H

#include "layout.h"

typedef struct {
    const char *name;
    void (*scores)(const float *q, ptrdiff_t n_rows, ptrdiff_t width, const float *const *keys,
                   ptrdiff_t n_keys, float *scores, ptrdiff_t stride);
    void (*gather)(const float *p, ptrdiff_t n_rows, ptrdiff_t stride, const float *const *values,
                   ptrdiff_t n_keys, float *out, ptrdiff_t width);
} SpanKernels;

#define KERNELS "attend.h"
#include "choose.h"
#define SPAN_KERNELS(isa) {#isa, scores_##isa, gather_##isa},
static const SpanKernels SPANS[] = {EACH_VARIANT(SPAN_KERNELS){0}};

#endif
