/* Attention over one span of keys: many query rows by many keys, in registers.
 *
 * Owns: the two products of attention, in tiles, on rows of floats or of half precision. Must not
 * know: blocks, softmax, threads.
 * Read before: spans.pyx, whose readable pair computes the same bits. Compiled for each
 * instruction set (choose.h), with its fma, splat_float, sums and sizes of tiles.
 *
 * The order of every sum is spans.pyx's: a score is summed in 16 lanes, element e in lane e mod 16,
 * which are then added in halves; an output element is summed over the keys from first to last.
 * Every addition of a product is a fused multiply-add. So tiles, rows beside each other and the
 * width of a vector change no bit.
 */

#define PARTS (16 / LANES)

/* A vector of a key's or value's row, from element e on. A half is widened where it is used: that
 * costs less than to write floats and read them again, as long as few queries meet it. */
INLINE Floats ISA(row_at)(const int halves, const void *row, ptrdiff_t e)
{
    Floats x;
    if (halves) return ISA(halves)((const uint8_t *)row + 2 * e);
    memcpy(&x, (const float *)row + e, sizeof x);
    return x;
}

/* out[r][j] = q[r] . keys[j] for n_rows by SCORE_KEYS; the pointers of missing keys repeat one.
 * Of the rows `next`, which are wanted soon after, a part is asked for with each step: memory works
 * while the registers do. A decode step's attention took 0.6 times as long. */
INLINE void ISA(score_tile)(const int halves, const int n_rows, const float *q,
                            const void *const *keys, const void *const *next, ptrdiff_t width,
                            float *out, ptrdiff_t stride)
{
    Floats acc[SCORE_ROWS * SCORE_KEYS][PARTS];
    UNROLL for (int i = 0; i < SCORE_ROWS * SCORE_KEYS; i++)
        UNROLL for (int p = 0; p < PARTS; p++) acc[i][p] = ISA(splat_float)(0);
    for (ptrdiff_t e = 0; e < width; e += 16) {
        if (halves && next && e % 32 == 0)
            UNROLL for (int j = 0; j < SCORE_KEYS; j++)
                __builtin_prefetch((const uint8_t *)next[j] + 2 * e, 0, 2);
        UNROLL for (int p = 0; p < PARTS; p++) {
            Floats k[SCORE_KEYS];
            UNROLL for (int j = 0; j < SCORE_KEYS; j++)
                k[j] = ISA(row_at)(halves, keys[j], e + p * LANES);
            UNROLL for (int r = 0; r < n_rows; r++) {
                Floats x;
                memcpy(&x, q + r * width + e + p * LANES, sizeof(Floats));
                UNROLL for (int j = 0; j < SCORE_KEYS; j++)
                    acc[r * SCORE_KEYS + j][p] = ISA(fma)(x, k[j], acc[r * SCORE_KEYS + j][p]);
            }
        }
    }
    /* lane l + lane l + 8, and so on: first across vectors, what is left within them */
    UNROLL for (int half = PARTS / 2; half > 0; half /= 2)
        UNROLL for (int i = 0; i < n_rows * SCORE_KEYS; i++)
            UNROLL for (int p = 0; p < half; p++) acc[i][p] += acc[i][p + half];
    Floats folded[SCORE_ROWS * SCORE_KEYS];
    UNROLL for (int i = 0; i < SCORE_ROWS * SCORE_KEYS; i++) folded[i] = acc[i][0];
    float sums[SCORE_ROWS * SCORE_KEYS];
    ISA(sums)(folded, sums);
    UNROLL for (int r = 0; r < n_rows; r++)
        memcpy(out + r * stride, sums + r * SCORE_KEYS, SCORE_KEYS * sizeof(float));
}

/* scores[r][j] = q[r] . keys[j]: q (n_rows, width), scores (n_rows, stride); whole tiles of keys
 * are written, so stride is a multiple of 4 */
INLINE void ISA(scores_of)(const int halves, const float *q, ptrdiff_t n_rows, ptrdiff_t width,
                           const void *const *keys, const void *const *next, ptrdiff_t n_keys,
                           float *scores, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < n_keys; j += SCORE_KEYS) {
        const void *k[SCORE_KEYS], *next_k[SCORE_KEYS];
        const void *const *ahead = next_k;  /* the first tile of rows asks, for all */
        const float *x = q;
        float *out = scores + j;
        ptrdiff_t left = n_rows;
        UNROLL for (int i = 0; i < SCORE_KEYS; i++) {
            k[i] = keys[j + i < n_keys ? j + i : n_keys - 1];
            next_k[i] = next[j + i < n_keys ? j + i : n_keys - 1];
        }
        for (; left >= SCORE_ROWS; left -= SCORE_ROWS, ahead = NULL) {
            ISA(score_tile)(halves, SCORE_ROWS, x, k, ahead, width, out, stride);
            x += SCORE_ROWS * width, out += SCORE_ROWS * stride;
        }
        if (SCORE_ROWS > 2 && left & 2) {
            ISA(score_tile)(halves, 2, x, k, ahead, width, out, stride);
            x += 2 * width, out += 2 * stride, ahead = NULL;
        }
        if (left & 1) ISA(score_tile)(halves, 1, x, k, ahead, width, out, stride);
    }
}

INLINE void ISA(gather_tile)(const int halves, const int n_rows, const int n_vectors,
                             const float *p, ptrdiff_t stride, const void *const *values,
                             const void *const *next, ptrdiff_t n_keys, ptrdiff_t at, float *out,
                             ptrdiff_t width)
{
    Floats acc[4][GATHER_VECTORS];
    UNROLL for (int r = 0; r < n_rows; r++)
        UNROLL for (int i = 0; i < n_vectors; i++) acc[r][i] = ISA(splat_float)(0);
    for (ptrdiff_t j = 0; j < n_keys; j++) {
        Floats v[GATHER_VECTORS];
        if (halves && next)
            for (int i = 0; i < 2 * n_vectors * LANES; i += 64)
                __builtin_prefetch((const uint8_t *)next[j] + 2 * at + i, 0, 2);
        UNROLL for (int i = 0; i < n_vectors; i++)
            v[i] = ISA(row_at)(halves, values[j], at + i * LANES);
        UNROLL for (int r = 0; r < n_rows; r++) {
            Floats weight = ISA(splat_float)(p[r * stride + j]);
            UNROLL for (int i = 0; i < n_vectors; i++)
                acc[r][i] = ISA(fma)(weight, v[i], acc[r][i]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++)
        UNROLL for (int i = 0; i < n_vectors; i++)
            memcpy(out + r * width + at + i * LANES, &acc[r][i], sizeof(Floats));
}

INLINE void ISA(gather_rows)(const int halves, const int n_rows, const float *p, ptrdiff_t stride,
                             const void *const *values, const void *const *next,
                             ptrdiff_t n_keys, float *out, ptrdiff_t width)
{
    enum { MOST = GATHER_VECTORS };
    ptrdiff_t at = 0;
    for (; at + MOST * LANES <= width; at += MOST * LANES)
        ISA(gather_tile)(halves, n_rows, MOST, p, stride, values, next, n_keys, at, out, width);
    for (; at < width; at += LANES)
        ISA(gather_tile)(halves, n_rows, 1, p, stride, values, next, n_keys, at, out, width);
}

/* out[r] = sum_j p[r][j] values[j]: p (n_rows, stride), out (n_rows, width) */
INLINE void ISA(gather_of)(const int halves, const float *p, ptrdiff_t n_rows, ptrdiff_t stride,
                           const void *const *values, const void *const *next, ptrdiff_t n_keys,
                           float *out, ptrdiff_t width)
{
    for (; n_rows >= 4; n_rows -= 4, p += 4 * stride, out += 4 * width, next = NULL)
        ISA(gather_rows)(halves, 4, p, stride, values, next, n_keys, out, width);
    if (n_rows & 2) {
        ISA(gather_rows)(halves, 2, p, stride, values, next, n_keys, out, width);
        p += 2 * stride, out += 2 * width, next = NULL;
    }
    if (n_rows & 1) ISA(gather_rows)(halves, 1, p, stride, values, next, n_keys, out, width);
}

#define PRODUCTS(what, halves)                                                                    \
    KERNEL void ISA(scores_##what)(const float *q, ptrdiff_t n_rows, ptrdiff_t width,             \
                                   const void *const *keys, const void *const *next,              \
                                   ptrdiff_t n_keys, float *scores, ptrdiff_t stride)             \
    {                                                                                             \
        ISA(scores_of)(halves, q, n_rows, width, keys, next, n_keys, scores, stride);             \
    }                                                                                             \
    KERNEL void ISA(gather_##what)(const float *p, ptrdiff_t n_rows, ptrdiff_t stride,            \
                                   const void *const *values, const void *const *next,            \
                                   ptrdiff_t n_keys, float *out, ptrdiff_t width)                 \
    {                                                                                             \
        ISA(gather_of)(halves, p, n_rows, stride, values, next, n_keys, out, width);              \
    }
PRODUCTS(floats, 0)
PRODUCTS(halves, 1)

#undef PRODUCTS
#undef PARTS
