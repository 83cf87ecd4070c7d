/* Attention over one span of keys: many query rows by many keys, in registers.
 *
 * Owns: the two products of attention, in tiles. Must not know: blocks, formats, softmax, threads.
 * Read before: spans.pyx, whose readable pair computes the same bits. Compiled for each
 * instruction set (choose.h), with its fma, splat_float, sums and sizes of tiles.
 *
 * The order of every sum is spans.pyx's: a score is summed in 16 lanes, element e in lane e mod 16,
 * which are then added in halves; an output element is summed over the keys from first to last.
 * Every addition of a product is a fused multiply-add. So tiles, rows beside each other and the
 * width of a vector change no bit.
 */

#define PARTS (16 / LANES)

/* out[r][j] = q[r] . keys[j] for n_rows by SCORE_KEYS; the pointers of missing keys repeat one. */
INLINE void ISA(score_tile)(const int n_rows, const float *q, const float *const *keys,
                            ptrdiff_t width, float *out, ptrdiff_t stride)
{
    Floats acc[SCORE_ROWS * SCORE_KEYS][PARTS];
    UNROLL for (int i = 0; i < SCORE_ROWS * SCORE_KEYS; i++)
        UNROLL for (int p = 0; p < PARTS; p++) acc[i][p] = ISA(splat_float)(0);
    for (ptrdiff_t e = 0; e < width; e += 16) {
        UNROLL for (int p = 0; p < PARTS; p++) {
            Floats k[SCORE_KEYS];
            UNROLL for (int j = 0; j < SCORE_KEYS; j++)
                memcpy(&k[j], keys[j] + e + p * LANES, sizeof(Floats));
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

/* scores[r][j] = q[r] . keys[j]: q (n_rows, width), scores (n_rows, stride); whole tiles of keys are
 * written, so stride is a multiple of 4 */
KERNEL void ISA(scores)(const float *q, ptrdiff_t n_rows, ptrdiff_t width, const float *const *keys,
                        ptrdiff_t n_keys, float *scores, ptrdiff_t stride)
{
    for (ptrdiff_t j = 0; j < n_keys; j += SCORE_KEYS) {
        const float *k[SCORE_KEYS];
        ptrdiff_t r = 0;
        UNROLL for (int i = 0; i < SCORE_KEYS; i++)
            k[i] = keys[j + i < n_keys ? j + i : n_keys - 1];
        for (; r + SCORE_ROWS <= n_rows; r += SCORE_ROWS)
            ISA(score_tile)(SCORE_ROWS, q + r * width, k, width, scores + r * stride + j, stride);
        if (SCORE_ROWS > 2 && r + 2 <= n_rows) {
            ISA(score_tile)(2, q + r * width, k, width, scores + r * stride + j, stride);
            r += 2;
        }
        if (r < n_rows)
            ISA(score_tile)(1, q + r * width, k, width, scores + r * stride + j, stride);
    }
}

INLINE void ISA(gather_tile)(const int n_rows, const int n_vectors, const float *p,
                             ptrdiff_t stride, const float *const *values, ptrdiff_t n_keys,
                             ptrdiff_t at, float *out, ptrdiff_t width)
{
    Floats acc[4][GATHER_VECTORS];
    UNROLL for (int r = 0; r < n_rows; r++)
        UNROLL for (int i = 0; i < n_vectors; i++) acc[r][i] = ISA(splat_float)(0);
    for (ptrdiff_t j = 0; j < n_keys; j++) {
        Floats v[GATHER_VECTORS];
        UNROLL for (int i = 0; i < n_vectors; i++)
            memcpy(&v[i], values[j] + at + i * LANES, sizeof(Floats));
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

INLINE void ISA(gather_rows)(const int n_rows, const float *p, ptrdiff_t stride,
                             const float *const *values, ptrdiff_t n_keys, float *out,
                             ptrdiff_t width)
{
    ptrdiff_t at = 0;
    for (; at + GATHER_VECTORS * LANES <= width; at += GATHER_VECTORS * LANES)
        ISA(gather_tile)(n_rows, GATHER_VECTORS, p, stride, values, n_keys, at, out, width);
    for (; at < width; at += LANES)
        ISA(gather_tile)(n_rows, 1, p, stride, values, n_keys, at, out, width);
}

/* out[r] = sum_j p[r][j] values[j]: p (n_rows, stride), out (n_rows, width) */
KERNEL void ISA(gather)(const float *p, ptrdiff_t n_rows, ptrdiff_t stride,
                        const float *const *values, ptrdiff_t n_keys, float *out, ptrdiff_t width)
{
    for (; n_rows >= 4; n_rows -= 4, p += 4 * stride, out += 4 * width)
        ISA(gather_rows)(4, p, stride, values, n_keys, out, width);
    if (n_rows & 2) {
        ISA(gather_rows)(2, p, stride, values, n_keys, out, width);
        p += 2 * stride, out += 2 * width;
    }
    if (n_rows & 1) ISA(gather_rows)(1, p, stride, values, n_keys, out, width);
}

#undef PARTS
