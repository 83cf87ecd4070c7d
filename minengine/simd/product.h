/* The integer product on strips: one text for every instruction set and every format.
 *
 * Owns: the order in which a row's numbers are added, the loops over blocks, tokens and parts of a
 * strip, and the table of kernels. Must not know: layouts (unpack.h), instructions. Included after
 * unpack.h, with dot4, splat, splat_float and fma of the instruction set, and LANES, TILE.
 *
 * For every 32 elements, in two halves with sums p of weight codes times activation codes, exact
 * integers, and scales d of the activations:
 *
 *     total += scale (d_0 p_0 + d_1 p_1),  and  total += low (d_0 s_0 + d_1 s_1)
 *
 * where the format has a low; s are the sums of the activation codes. A fine format has a scale and
 * a low for each half: total += scale_0 (d_0 p_0), and so on. Every addition is a fused
 * multiply-add, in this order: integer.pyx's, so every variant gives its bits.
 */

#define PARTS (STRIP_ROWS / LANES)
#define ABREAST (ABREAST_ROWS * ABREAST_TOKENS)

typedef void (*ISA(head_fn))(const uint8_t *block, int part, ISA(Head) *h);
typedef void (*ISA(group_fn))(ISA(Head) *h, int j, ISA(Codes) *c);

/* What is known of a format when it is compiled; `most` is the largest code. */
typedef struct {
    ISA(head_fn) head;
    ISA(group_fn) group;
    int groups;     /* of a block */
    int n_words, odd_bytes;
    int fine, lows, bias, most;
} ISA(Format);

/* total[t][r] += 32 products of `rows` vectors of rows and `tokens` tokens, chains that go side by
 * side; word i of vector r is w[step i + r], and scale and low of a half stand likewise. */
INLINE void ISA(add)(const ISA(Format) f, const int rows, const int tokens, const Loaded *w,
                     const LoadedFloats *scale, const LoadedFloats *low, const int step,
                     const Group *a, Floats *total)
{
    Floats half[2][ABREAST];
    UNROLL for (int h = 0; h < 2; h++) {
        Signed sum[ABREAST];
        UNROLL for (int t = 0; t < tokens; t++) {
            Signed start = ISA(splat)(a[t].minus_sum[h]);
            PIN(start);  /* or it is multiplied first and then moved over from other registers */
            start *= f.bias;
            UNROLL for (int r = 0; r < rows; r++) sum[t * rows + r] = start;
        }
        ISA(dot4)(sum, rows, tokens, w + 4 * h * step, step, a->codes + 16 * h, f.most);
        UNROLL for (int i = 0; i < rows * tokens; i++)
            half[h][i] = __builtin_convertvector(sum[i], Floats);
    }
    UNROLL for (int t = 0; t < tokens; t++)
        UNROLL for (int r = 0; r < rows; r++) {
            Floats *x = &total[t * rows + r];
            Floats first = half[0][t * rows + r] * ISA(splat_float)(a[t].scale[0]);
            Floats last = half[1][t * rows + r];
            if (f.fine) {
                last = last * ISA(splat_float)(a[t].scale[1]);
                *x = ISA(fma)(scale[r], first, *x);
                *x = ISA(fma)(scale[step + r], last, *x);
                if (f.lows) {
                    *x = ISA(fma)(low[r], ISA(splat_float)(a[t].sum[0]), *x);
                    *x = ISA(fma)(low[step + r], ISA(splat_float)(a[t].sum[1]), *x);
                }
                continue;
            }
            first = ISA(fma)(last, ISA(splat_float)(a[t].scale[1]), first);
            *x = ISA(fma)(scale[r], first, *x);
            if (f.lows) *x = ISA(fma)(low[r], ISA(splat_float)(a[t].both), *x);
        }
}

/* total[t] += one vector of a block's rows . tokens, the weights unpacked into registers; `asked`:
 * whether with each 32 elements a share of the memory that is wanted later is asked for; -> where
 * that goes on */
INLINE const uint8_t *ISA(times_part)(const ISA(Format) f, const int asked, const int n_tokens,
                                      const uint8_t *block, int part, const Group *a,
                                      const uint8_t *ahead, Floats *total)
{
    ISA(Head) h;
    h.at = block + part * LANES * 4;
    f.head(block, part, &h);
    UNROLL for (int j = 0; j < f.groups; j++) {
        ISA(Codes) c;
        if (asked) {
            const ptrdiff_t share = (64 * f.n_words + STRIP_ROWS * f.odd_bytes)
                                    / (f.groups * PARTS);
            UNROLL for (ptrdiff_t i = 0; i + 63 < share; i += 64) ASK_AFTER(total[0], ahead + i);
            ahead += share;
        }
        f.group(&h, j, &c);
        UNROLL for (int t = 0; t < n_tokens; t++)
            ISA(add)(f, 1, 1, (const Loaded *)c.w, (const LoadedFloats *)c.scale,
                     (const LoadedFloats *)c.low, 1, a + j * n_tokens + t, &total[t]);
    }
    return ahead;
}

/* acc[t] += strip . tokens. Small blocks meet all their rows before the next, so that memory is
 * wanted all the time; of large ones the code would be twice as long as fits where it is decoded */
INLINE void ISA(times_n)(const ISA(Format) f, const int asked, const int n_tokens,
                         const uint8_t *strip, ptrdiff_t n_blocks, const Group *groups, float *acc)
{
    const ptrdiff_t block_bytes = 64 * f.n_words + STRIP_ROWS * f.odd_bytes;
    const int together = f.groups == 1 ? PARTS : 1;
    const uint8_t *ahead = strip + (n_tokens == 1 && f.n_words == 8 ? ASK_SOON : ASK_AHEAD);
    for (int part = 0; part < PARTS; part += together) {
        const uint8_t *block = strip;
        const Group *a = groups;
        Floats total[PARTS][FEW];
        float *here = acc + part * LANES;
        UNROLL for (int k = 0; k < together; k++)
            UNROLL for (int t = 0; t < n_tokens; t++)
                memcpy(&total[k][t], here + t * STRIP_ROWS + k * LANES, sizeof(Floats));
        for (ptrdiff_t b = 0; b < n_blocks; b++) {
            UNROLL for (int k = 0; k < together; k++)
                ahead = ISA(times_part)(f, asked, n_tokens, block, part + k, a, ahead, total[k]);
            block += block_bytes;
            a += f.groups * n_tokens;
        }
        UNROLL for (int k = 0; k < together; k++)
            UNROLL for (int t = 0; t < n_tokens; t++)
                memcpy(here + t * STRIP_ROWS + k * LANES, &total[k][t], sizeof(Floats));
    }
}

INLINE void ISA(times)(const ISA(Format) f, const int asked, const uint8_t *strip,
                       ptrdiff_t n_blocks, const Group *a, int n_tokens, float *acc)
{
    switch (n_tokens) {
    case 1: ISA(times_n)(f, asked, 1, strip, n_blocks, a, acc); break;
    case 2: ISA(times_n)(f, asked, 2, strip, n_blocks, a, acc); break;
    case 3: ISA(times_n)(f, asked, 3, strip, n_blocks, a, acc); break;
    case 4: ISA(times_n)(f, asked, 4, strip, n_blocks, a, acc); break;
#if FEW > 4
    case 5: ISA(times_n)(f, asked, 5, strip, n_blocks, a, acc); break;
    case 6: ISA(times_n)(f, asked, 6, strip, n_blocks, a, acc); break;
    case 7: ISA(times_n)(f, asked, 7, strip, n_blocks, a, acc); break;
    case 8: ISA(times_n)(f, asked, 8, strip, n_blocks, a, acc);
#endif
    }
}

INLINE void ISA(unpack)(const ISA(Format) f, const uint8_t *strip, ptrdiff_t n_blocks, Panel *panel)
{
    const ptrdiff_t block_bytes = 64 * f.n_words + STRIP_ROWS * f.odd_bytes;
    for (ptrdiff_t b = 0; b < n_blocks; b++) {
        for (int part = 0; part < PARTS; part++) {
            ISA(Head) h;
            h.at = strip + part * LANES * 4;
            f.head(strip, part, &h);
            UNROLL for (int j = 0; j < f.groups; j++) {
                ptrdiff_t g = b * f.groups + j;
                ISA(Codes) c;
                f.group(&h, j, &c);
                UNROLL for (int i = 0; i < 8; i++)
                    memcpy(panel->codes[g][i] + part * LANES * 4, &c.w[i], sizeof(Ints));
                UNROLL for (int k = 0; k <= f.fine; k++) {
                    memcpy(panel->scale[g][k] + part * LANES, &c.scale[k], sizeof(Floats));
                    if (f.lows)
                        memcpy(panel->low[g][k] + part * LANES, &c.low[k],
                               sizeof(Floats));
                }
            }
        }
        strip += block_bytes;
    }
}

INLINE void ISA(multiply_n)(const ISA(Format) f, const int n_tokens, const Panel *panel,
                            ptrdiff_t n_groups, const Group *groups, ptrdiff_t stride, float *acc)
{
    for (int part = 0; part < PARTS; part += ABREAST_ROWS) {
        Floats total[TILE * ABREAST_ROWS];
        float *here = acc + part * LANES;
        UNROLL for (int t = 0; t < n_tokens; t++)
            UNROLL for (int r = 0; r < ABREAST_ROWS; r++)
                memcpy(&total[t * ABREAST_ROWS + r], here + t * STRIP_ROWS + r * LANES,
                       sizeof(Floats));
        for (ptrdiff_t g = 0; g < n_groups; g++) {
            const Group *a = groups + g * stride;
            UNROLL for (int t = 0; t < n_tokens; t += ABREAST_TOKENS)
                ISA(add)(f, ABREAST_ROWS,
                         n_tokens - t < ABREAST_TOKENS ? n_tokens - t : ABREAST_TOKENS,
                         (const Loaded *)panel->codes[g] + part,
                         (const LoadedFloats *)panel->scale[g] + part,
                         (const LoadedFloats *)panel->low[g] + part, PARTS, a + t,
                         total + t * ABREAST_ROWS);
        }
        UNROLL for (int t = 0; t < n_tokens; t++)
            UNROLL for (int r = 0; r < ABREAST_ROWS; r++)
                memcpy(here + t * STRIP_ROWS + r * LANES, &total[t * ABREAST_ROWS + r],
                       sizeof(Floats));
    }
}

INLINE void ISA(multiply)(const ISA(Format) f, const Panel *panel, ptrdiff_t n_groups,
                          const Group *groups, ptrdiff_t stride, int n_tokens, float *acc)
{
    for (; n_tokens >= TILE; n_tokens -= TILE, groups += TILE, acc += TILE * STRIP_ROWS)
        ISA(multiply_n)(f, TILE, panel, n_groups, groups, stride, acc);
    if (TILE > 8 && n_tokens & 8) {
        ISA(multiply_n)(f, 8, panel, n_groups, groups, stride, acc);
        groups += 8, acc += 8 * STRIP_ROWS;
    }
    if (TILE > 4 && n_tokens & 4) {
        ISA(multiply_n)(f, 4, panel, n_groups, groups, stride, acc);
        groups += 4, acc += 4 * STRIP_ROWS;
    }
    if (n_tokens & 2) {
        ISA(multiply_n)(f, 2, panel, n_groups, groups, stride, acc);
        groups += 2, acc += 2 * STRIP_ROWS;
    }
    if (n_tokens & 1) ISA(multiply_n)(f, 1, panel, n_groups, groups, stride, acc);
}

/* Blocks of 16 rows side by side; the last words of a block overlap those before. */
KERNEL void ISA(interleave)(const Cut *cut, const uint8_t *first, ptrdiff_t stride,
                            ptrdiff_t n_blocks, uint8_t *strip)
{
    for (ptrdiff_t b = 0; b < n_blocks; b++) {
        const uint8_t *words = first + b * cut->block_bytes + cut->words_at;
        const uint8_t *odd = first + b * cut->block_bytes + cut->odd_at;
        for (int i = 0; i < cut->n_words; i += 4) {
            int word = i + 4 <= cut->n_words ? i : cut->n_words - 4;
            ISA(transpose)(words + 4 * word, stride, strip + 64 * word);
        }
        strip += 64 * cut->n_words;
        if (cut->odd_bytes == 2)
            UNROLL for (int r = 0; r < STRIP_ROWS; r++) memcpy(strip + 2 * r, odd + r * stride, 2);
        else if (cut->odd_bytes == 1)
            UNROLL for (int r = 0; r < STRIP_ROWS; r++) strip[r] = odd[r * stride];
        strip += STRIP_ROWS * cut->odd_bytes;
    }
}

/* name, groups of a block, words and odd bytes as in CUTS, fine, lows, bias, most */
#define WIDE_BIAS (FLIP ? 128 : 0)
#define EACH_FORMAT(X)                        \
    X(q4_0, 1, 4, 2, 0, 0, 8, 15)             \
    X(q4_1, 1, 5, 0, 0, 1, 0, 15)             \
    X(q5_0, 1, 5, 2, 0, 0, 16, 31)            \
    X(q5_1, 1, 6, 0, 0, 1, 0, 31)             \
    X(q8_0, 1, 8, 2, 0, 0, WIDE_BIAS, 255)    \
    X(q2_k, 8, 21, 0, 1, 1, 0, 3)             \
    X(q3_k, 8, 27, 2, 1, 0, 4, 7)             \
    X(q4_k, 8, 36, 0, 0, 1, 0, 15)            \
    X(q5_k, 8, 44, 0, 0, 1, 0, 31)            \
    X(q6_k, 8, 52, 2, 1, 0, 32, 63)           \
    X(iq4_nl, 1, 4, 2, 0, 0, WIDE_BIAS, 255)  \
    X(iq4_xs, 8, 34, 0, 0, 0, WIDE_BIAS, 255) \
    X(tq1_0, 8, 13, 2, 0, 0, 1, 2)            \
    X(tq2_0, 8, 16, 2, 0, 0, 1, 3)            \
    X(mxfp4, 1, 4, 1, 0, 0, 16, 28)

#define TIMES(function, asked, name, groups, n_words, odd, fine, lows, bias, most)               \
    KERNEL void ISA(function)(const uint8_t *strip, ptrdiff_t n_blocks, const Group *a,          \
                              int n_tokens, float *acc)                                          \
    {                                                                                            \
        const ISA(Format) f = {ISA(head_##name), ISA(group_##name), groups, n_words, odd,        \
                               fine, lows, bias, most};                                          \
        ISA(times)(f, asked, strip, n_blocks, a, n_tokens, acc);                                 \
    }
#define FUNCTIONS(name, groups, n_words, odd, fine, lows, bias, most)                            \
    TIMES(times_##name, ASKS_ALWAYS, name, groups, n_words, odd, fine, lows, bias, most)         \
    KERNEL void ISA(unpack_##name)(const uint8_t *strip, ptrdiff_t n_blocks, Panel *panel)       \
    {                                                                                            \
        const ISA(Format) f = {ISA(head_##name), ISA(group_##name), groups, n_words, odd,        \
                               fine, lows, bias, most};                                          \
        ISA(unpack)(f, strip, n_blocks, panel);                                                  \
    }                                                                                            \
    KERNEL void ISA(multiply_##name)(const Panel *panel, ptrdiff_t n_groups, const Group *a,     \
                                     ptrdiff_t stride, int n_tokens, float *acc)                 \
    {                                                                                            \
        const ISA(Format) f = {ISA(head_##name), ISA(group_##name), groups, n_words, odd,        \
                               fine, lows, bias, most};                                          \
        ISA(multiply)(f, panel, n_groups, a, stride, n_tokens, acc);                             \
    }
EACH_FORMAT(FUNCTIONS)

#if ASK_AHEAD && !ASKS_ALWAYS
#define ASKING(name, ...) TIMES(asking_##name, 1, name, __VA_ARGS__)
EACH_FORMAT(ASKING)
#define ASKING_NAME(name) ISA(asking_##name)
#else
#define ASKING_NAME(name) ISA(times_##name)
#endif

enum { ISA(few) = FEW, ISA(asks) = ASK_AHEAD > 0 };

#define ROW(name, ...) \
    {ISA(times_##name), ASKING_NAME(name), ISA(unpack_##name), ISA(multiply_##name)},
static const StripKernels ISA(kernels)[N_CUTS] = {EACH_FORMAT(ROW)};

#undef PARTS
#undef ABREAST
#undef EACH_FORMAT
#undef TIMES
#undef FUNCTIONS
#undef ASKING
#undef ASKING_NAME
#undef ROW
#undef WIDE_BIAS
