/* What every variant of the integer product shares: activations in groups, weights in strips.
 *
 * Owns: the struct of a group, the layout of a strip, the panel, and the table of a variant. Must
 * not know: instructions, threads, Python. Read before: integer.pyx (the meaning), blocks.pxd (the
 * blocks of a file). Read after: unpack.h, product.h, then one file per instruction set.
 *
 * Activations: a tile is up to 16 tokens; its groups stand as [n / 32][tokens], so that what is
 * read together lies together.
 *
 * A strip is 16 rows of the weight. A block of each of them, read side by side: words of four bytes
 * are transposed, so that word i of the 16 rows fills 64 bytes and a vector holds the same four
 * elements of many rows. Sums then run down the lanes, one row each, and no lane is ever added to
 * another: every variant adds the numbers of a row in the same order. What is no whole word (the
 * half of a scale, the byte of an exponent) stands behind, of 16 rows in a row. A strip has exactly
 * the bytes of its 16 rows.
 */
#ifndef MINENGINE_SIMD_LAYOUT_H
#define MINENGINE_SIMD_LAYOUT_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* loops over registers: written short, compiled as if they were written out; but not where each
 * index is checked as the program runs, which would take eight minutes to compile in place of one */
#if defined(__SANITIZE_ADDRESS__) && defined(__x86_64__)
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum {
    STRIP_ROWS = 16,
    GROUP_SIZE = 32,    /* activations that stand together */
    TILE_TOKENS = 16,
    PANEL_GROUPS = 16,  /* 512 elements of 16 rows: 8 KiB of codes and their scales stay in L1 */
    FEW_TOKENS = 8      /* the most that weights in registers meet, see Variant.few */
};

/* 32 activations in two halves, each under its own scale. */
typedef struct {
    int8_t codes[GROUP_SIZE];
    float scale[2];         /* x = scale code */
    int32_t minus_sum[2];   /* of the codes, negative: times the bias of the weights it is added */
    float sum[2];           /* of scale times codes, for weights with a minimum */
    float both;             /* the two added */
    int32_t unused;         /* a group is a cache line */
} Group;

/* Unpacked weights of one strip: codes of 8 bits, four of a row in a lane. */
typedef struct {
    uint8_t codes[PANEL_GROUPS][8][4 * STRIP_ROWS];
    float scale[PANEL_GROUPS][2][STRIP_ROWS];
    float low[PANEL_GROUPS][2][STRIP_ROWS];
} Panel;
enum { PANEL_BYTES = sizeof(Panel) };

/* Asks for n bytes in order: for the first-level cache where they are wanted near, or else for the
 * second-level one. Always inlined: a call that does nothing but ask has no effect that a compiler
 * must keep, and GCC leaves it out. */
#define ASK static inline __attribute__((always_inline)) void
ASK ask_for(int near, const uint8_t *from, ptrdiff_t n)
{
    if (near)
        for (ptrdiff_t i = 0; i < n; i += 64) __builtin_prefetch(from + i, 0, 3);
    else
        for (ptrdiff_t i = 0; i < n; i += 64) __builtin_prefetch(from + i, 0, 2);
}

/* Asks for the lines that n rows of floats, `stride` apart, will be written to: one each. */
ASK ask_to_write(const float *to, ptrdiff_t stride, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) __builtin_prefetch(to + i * stride, 1);
}

/* How a block is cut: [words_at, words_at + 4 n_words) are words, odd_bytes at odd_at. */
typedef struct {
    int id;             /* of GGUF */
    int block_size, block_bytes;
    int words_at, n_words;
    int odd_at, odd_bytes;
    int scattered;      /* read in places so far apart that a strip comes from memory slowly */
} Cut;

static const Cut CUTS[] = {
    {2, 32, 18, 2, 4, 0, 2, 0},        /* Q4_0 */
    {3, 32, 20, 0, 5, 0, 0, 0},        /* Q4_1 */
    {6, 32, 22, 2, 5, 0, 2, 0},        /* Q5_0 */
    {7, 32, 24, 0, 6, 0, 0, 0},        /* Q5_1 */
    {8, 32, 34, 2, 8, 0, 2, 0},        /* Q8_0 */
    {10, 256, 84, 0, 21, 0, 0, 0},     /* Q2_K */
    {11, 256, 110, 0, 27, 108, 2, 1},  /* Q3_K */
    {12, 256, 144, 0, 36, 0, 0, 0},    /* Q4_K */
    {13, 256, 176, 0, 44, 0, 0, 0},    /* Q5_K */
    {14, 256, 210, 0, 52, 208, 2, 1},  /* Q6_K */
    {20, 32, 18, 2, 4, 0, 2, 0},       /* IQ4_NL */
    {23, 256, 136, 0, 34, 0, 0, 0},    /* IQ4_XS */
    {34, 256, 54, 0, 13, 52, 2, 0},    /* TQ1_0 */
    {35, 256, 66, 0, 16, 64, 2, 0},    /* TQ2_0 */
    {39, 32, 17, 1, 4, 0, 1, 0},       /* MXFP4 */
};
enum { N_CUTS = sizeof CUTS / sizeof CUTS[0] };

/* Blocks of 16 rows, `stride` bytes apart, to blocks of a strip. */
typedef void (*interleave_fn)(const Cut *cut, const uint8_t *first, ptrdiff_t stride,
                              ptrdiff_t n_blocks, uint8_t *strip);
/* acc[t][row] += strip . group of token t, for n_tokens <= few; groups [n / 32][n_tokens] */
typedef void (*times_fn)(const uint8_t *strip, ptrdiff_t n_blocks, const Group *groups,
                         int n_tokens, float *acc);
typedef void (*unpack_fn_)(const uint8_t *strip, ptrdiff_t n_blocks, Panel *panel);
/* the same on a panel, for any n_tokens; groups [n_groups][stride] */
typedef void (*multiply_fn)(const Panel *panel, ptrdiff_t n_groups, const Group *groups,
                            ptrdiff_t stride, int n_tokens, float *acc);
typedef void (*quantize_row_fn)(const float *x, ptrdiff_t n_groups, Group *groups,
                                ptrdiff_t stride);

typedef struct {
    times_fn times, asking;  /* the second asks for memory ahead, where there is such a one */
    unpack_fn_ unpack;
    multiply_fn multiply;
} StripKernels;

typedef struct {
    const char *name;
    int few;  /* tokens up to which weights are unpacked into registers, above into a panel */
    int asks; /* whether it has kernels that ask for memory ahead themselves */
    interleave_fn interleave;
    quantize_row_fn quantize;
    const StripKernels *formats;  /* N_CUTS of them, in the order of CUTS */
    int32_t (*read)(const uint8_t *p, ptrdiff_t n);
    double (*dots)(ptrdiff_t n, int32_t *sink);
} Variant;

#endif
