/* What a processor can do at most: bytes read, and products of 8 bits, with nothing else to do.
 *
 * Owns: the two loops. Included after product.h. A kernel's speed is told as a share of these,
 * measured in the same minute.
 */

/* Reads n bytes, a multiple of 1024, in order; the result is a reason to. */
KERNEL int32_t ISA(read)(const uint8_t *p, ptrdiff_t n)
{
    Ints sum[4] = {{0}, {0}, {0}, {0}};
    for (ptrdiff_t i = 0; i < n; i += 4 * (ptrdiff_t)sizeof(Ints))
        UNROLL for (int k = 0; k < 4; k++)
            sum[k] ^= ISA(load)(p + i + k * (ptrdiff_t)sizeof(Ints));
    sum[0] ^= sum[1] ^ sum[2] ^ sum[3];
    return (int32_t)sum[0][0];
}

/* n times 12 vectors of products, each a chain of its own -> products and sums done. */
KERNEL double ISA(dots)(ptrdiff_t n, int32_t *sink)
{
    Signed sum[12];
    Ints w[4];
    int8_t codes[16];
    memset(codes, 3, sizeof codes);
    UNROLL for (int k = 0; k < 12; k++) sum[k] = ISA(splat)(k);
    UNROLL for (int k = 0; k < 4; k++) w[k] = (Ints)ISA(splat)(0x01020304 + (int)n);
    for (ptrdiff_t i = 0; i < n; i++)
        UNROLL for (int k = 0; k < 12; k++) {
            UNROLL for (int m = 0; m < 4; m++) PIN(w[m]);  /* or the same products are made once */
            ISA(dot4)(&sum[k], 1, 1, (const Loaded *)w, 1, codes, 15);
        }
    UNROLL for (int k = 1; k < 12; k++) sum[0] += sum[k];
    *sink = sum[0][0];
    return 12.0 * 4 * 4 * LANES * 2 * (double)n;
}
