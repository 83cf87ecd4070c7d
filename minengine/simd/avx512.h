/* AVX-512 with VNNI: 16 rows in a vector, four products and their sum in an instruction.
 *
 * Owns: the few operations that unpack.h, product.h and attend.h want, and the rounding
 * of activations. vpdpbusd multiplies unsigned weights by signed activations: weights with a sign
 * get 128 added (FLIP), which the group's negative sum takes away again.
 */
#include <immintrin.h>

#define ISA(name) name##_avx512
#define TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"
#define INLINE static inline __attribute__((always_inline, target(TARGET)))
#define KERNEL static __attribute__((target(TARGET)))
#define LANES 16
#define TILE 16  /* tokens: their sums and 8 vectors of weights fill 24 of 32 registers */
#define FEW 8  /* tokens whose sums and 8 vectors of weights fit in registers */
#define ABREAST_ROWS 1  /* and tokens whose sums are written side by side */
#define ABREAST_TOKENS 1
#define ASK_AHEAD 4096  /* bytes from what a kernel reads to what it asks for, if it does */
#define ASK_SOON ASK_AHEAD
#define ASKS_ALWAYS 0
#define SCORE_ROWS 4  /* by 4 keys: 16 sums */
#define SCORE_KEYS 4
#define GATHER_VECTORS 4  /* of 4 rows: 16 sums */
#define FLIP 0x80808080u
/* asks for the line at p once x is known: a compiler moves all prefetches of a block together */
#define ASK_AFTER(x, p) __asm__("prefetcht0 %1" : "+v"(x) : "m"(*(const uint8_t(*)[64])(p)))
#define PIN(x) __asm__("" : "+v"(x))
/* what comes from memory, in the order in which it is written: by rising addresses. Zen 4 fetches
 * ahead less well where a compiler has moved a load: one token of Q8_0 10 to 20 % slower */
#define IN_ORDER(x) __asm__ volatile("" : "+v"(x))
#define Ints Ints_avx512
#define Signed Signed_avx512
#define Shorts Shorts_avx512
#define Floats Floats_avx512
#define Loaded Loaded_avx512
#define LoadedFloats LoadedFloats_avx512

typedef uint32_t Ints __attribute__((vector_size(64)));
typedef int32_t Signed __attribute__((vector_size(64)));
typedef uint16_t Shorts __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64)));
typedef Ints Loaded __attribute__((may_alias));  /* where they lie in memory, be it as bytes */
typedef Floats LoadedFloats __attribute__((may_alias));

INLINE Ints ISA(load)(const uint8_t *p) { return (Ints)_mm512_loadu_si512(p); }

INLINE Floats ISA(halves)(const uint8_t *p)
{
    return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

INLINE Floats ISA(low_halves)(Ints x)
{
    return (Floats)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)x));
}

INLINE Ints ISA(load_bytes)(const uint8_t *p)
{
    return (Ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}

INLINE Ints ISA(levels)(const int8_t *table, Ints nibbles)
{
    __m512i t = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    return (Ints)_mm512_shuffle_epi8(t, (__m512i)nibbles);
}

/* Bits 4i .. 4i + 3 of `bits` are worth 16 in the four bytes of codes. */
INLINE Ints ISA(add_fifth)(Ints codes, Ints bits, int i)
{
    __m512i byte = _mm512_set1_epi32(0x01010101 * (i >> 1));
    __m512i lane = _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C));
    __m512i spread = _mm512_shuffle_epi8((__m512i)bits, _mm512_add_epi8(byte, lane));
    __m512i place = _mm512_set1_epi32(i & 1 ? (int)0x80402010u : 0x08040201);
    __mmask64 set = _mm512_test_epi8_mask(spread, place);
    return (Ints)_mm512_mask_add_epi8((__m512i)codes, set, (__m512i)codes, _mm512_set1_epi8(16));
}

INLINE Signed ISA(splat)(int32_t x) { return (Signed)_mm512_set1_epi32(x); }
INLINE Floats ISA(splat_float)(float x) { return (Floats)_mm512_set1_ps(x); }

INLINE Floats ISA(fma)(Floats a, Floats b, Floats c)
{
    return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

/* sum += 16 products a row: word i, w[step i], by the i-th four codes of one token */
INLINE void ISA(dot4)(Signed *sum, const int rows, const int tokens, const Loaded *w,
                      const int step, const int8_t *codes, const int most)
{
    (void)rows, (void)tokens, (void)most;
    /* GCC 12 has the codes in a register first: an instruction more for each product, and fewer
     * blocks that are waited for at once; Zen 4, Q4_0: 3 to 8 % with one token, 14 to 27 with 4 */
    UNROLL for (int i = 0; i < 4; i++)
        __asm__("vpdpbusd %2%{1to16%}, %1, %0"
                : "+v"(*sum) : "v"(w[step * i]), "m"(*(const int8_t(*)[4])(codes + 4 * i)));
}

/* 16 bytes of 16 rows as four words of each: 4 rows in a vector's quarters, turned within them */
INLINE void ISA(transpose)(const uint8_t *first, ptrdiff_t stride, uint8_t *out)
{
    __m512i row[4];
    UNROLL for (int i = 0; i < 4; i++) {
        const uint8_t *p = first + i * stride;
        __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p));
        x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 4 * stride)), 1);
        x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 8 * stride)), 2);
        row[i] = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 12 * stride)), 3);
    }
    __m512i a = _mm512_unpacklo_epi32(row[0], row[1]), b = _mm512_unpackhi_epi32(row[0], row[1]);
    __m512i c = _mm512_unpacklo_epi32(row[2], row[3]), d = _mm512_unpackhi_epi32(row[2], row[3]);
    _mm512_storeu_si512(out, _mm512_unpacklo_epi64(a, c));
    _mm512_storeu_si512(out + 64, _mm512_unpackhi_epi64(a, c));
    _mm512_storeu_si512(out + 128, _mm512_unpacklo_epi64(b, d));
    _mm512_storeu_si512(out + 192, _mm512_unpackhi_epi64(b, d));
}

/* Sums of the lanes of each vector, added in halves: lane l + lane l + 8, then 4, 2, 1. */
INLINE void ISA(sums)(const Floats *x, float *out)
{
    __m512 key[4], pair[2];
    UNROLL for (int k = 0; k < 4; k++) {  /* quarter r of key[k] has row r's */
        __m512 a = (__m512)x[k], b = (__m512)x[4 + k], c = (__m512)x[8 + k], d = (__m512)x[12 + k];
        a = _mm512_shuffle_f32x4(a, b, 0x44) + _mm512_shuffle_f32x4(a, b, 0xEE);
        c = _mm512_shuffle_f32x4(c, d, 0x44) + _mm512_shuffle_f32x4(c, d, 0xEE);
        key[k] = _mm512_shuffle_f32x4(a, c, 0x88) + _mm512_shuffle_f32x4(a, c, 0xDD);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        __m512d a = _mm512_castps_pd(key[2 * i]), b = _mm512_castps_pd(key[2 * i + 1]);
        pair[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b))
                  + _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
    _mm512_storeu_ps(out, _mm512_shuffle_ps(pair[0], pair[1], 0x88)
                              + _mm512_shuffle_ps(pair[0], pair[1], 0xDD));
}

#include KERNELS

#ifdef MINENGINE_SIMD_PRODUCTS_H
/* integer.pyx, quantize_row, to the bit */
KERNEL void ISA(quantize)(const float *x, ptrdiff_t n_groups, Group *groups, ptrdiff_t stride)
{
    for (ptrdiff_t g = 0; g < n_groups; g++, groups += stride) {
        for (int half = 0; half < 2; half++, x += 16) {
            __m512 a = _mm512_loadu_ps(x);
            float largest = _mm512_reduce_max_ps(_mm512_abs_ps(a));
            float inverse = largest > 127 / FLT_MAX ? 127 / largest : 0, scale = largest / 127;
            if (_mm512_fpclass_ps_mask(a, 0x99))  /* NaN or infinite */
                scale = NAN, inverse = 0, a = _mm512_setzero_ps();
            __m512i codes = _mm512_cvtps_epi32(_mm512_mul_ps(a, _mm512_set1_ps(inverse)));
            int32_t sum = _mm512_reduce_add_epi32(codes);
            _mm_storeu_si128((__m128i *)(groups->codes + 16 * half), _mm512_cvtepi32_epi8(codes));
            groups->scale[half] = scale;
            groups->minus_sum[half] = -sum;
            groups->sum[half] = scale * (float)sum;
        }
        groups->both = __builtin_fmaf(groups->scale[1], -(float)groups->minus_sum[1],
                                      groups->sum[0]);
    }
}
#endif

#include "undef.h"
