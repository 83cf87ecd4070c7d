/* AVX2: 8 rows in a vector; four products and their sum take two instructions, for sums in 16 bits.
 *
 * Owns: the few operations that unpack.h, product.h and attend.h want, and the rounding
 * of activations. vpmaddubsw multiplies unsigned by signed bytes and adds pairs, which must not
 * leave 16 bits: codes of 8 bits keep their sign and give it to the activation (FLIP is 0).
 */
#include <immintrin.h>

#define ISA(name) name##_avx2
#define TARGET "avx2,fma,f16c"
#define INLINE static inline __attribute__((always_inline, target(TARGET)))
#define KERNEL static __attribute__((target(TARGET)))
#define LANES 8
#define TILE 2  /* tokens whose sums stay in registers over a panel */
#define ABREAST_ROWS 2  /* vectors of rows by 2 tokens: 4 sums of each kind, in 16 registers */
#define ABREAST_TOKENS 2
#define FEW 4  /* tokens that weights in registers meet */
#define ASK_AHEAD 12288  /* bytes from what a kernel reads to what it asks for */
#define ASK_SOON 2048  /* the same for 1 token and codes of 8 bits, which wait for memory most */
#define ASKS_ALWAYS 1
#define SCORE_ROWS 2  /* by 2 keys: 8 vectors of sums */
#define SCORE_KEYS 2
#define GATHER_VECTORS 2  /* of 4 rows: 8 sums */
#define FLIP 0u
#define IN_ORDER(x)  /* as the compiler likes it */
#define PIN(x) __asm__("" : "+x"(x))
/* what is done in the order in which it is written, as far as these are concerned */
#define HOLD(x) __asm__ volatile("" : "+x"(x))
/* asks for the line at p once x is known: a compiler moves all prefetches of a block together */
#define ASK_AFTER(x, p) __asm__("prefetcht0 %1" : "+x"(x) : "m"(*(const uint8_t(*)[64])(p)))
#define Ints Ints_avx2
#define Signed Signed_avx2
#define Shorts Shorts_avx2
#define Floats Floats_avx2
#define Loaded Loaded_avx2
#define LoadedFloats LoadedFloats_avx2

typedef uint32_t Ints __attribute__((vector_size(32)));
typedef int32_t Signed __attribute__((vector_size(32)));
typedef uint16_t Shorts __attribute__((vector_size(32)));
typedef float Floats __attribute__((vector_size(32)));
typedef Ints Loaded __attribute__((may_alias));  /* where they lie in memory, be it as bytes */
typedef Floats LoadedFloats __attribute__((may_alias));

INLINE Ints ISA(load)(const uint8_t *p) { return (Ints)_mm256_loadu_si256((const __m256i *)p); }

INLINE Floats ISA(halves)(const uint8_t *p)
{
    return (Floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

INLINE Floats ISA(low_halves)(Ints x)
{
    __m128i low = _mm256_castsi256_si128((__m256i)x);
    __m128i high = _mm256_extracti128_si256((__m256i)x, 1);
    return (Floats)_mm256_cvtph_ps(_mm_packus_epi32(low, high));
}

INLINE Ints ISA(load_bytes)(const uint8_t *p)
{
    return (Ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

INLINE Ints ISA(levels)(const int8_t *table, Ints nibbles)
{
    __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return (Ints)_mm256_shuffle_epi8(t, (__m256i)nibbles);
}

/* Bits 4i .. 4i + 3 of `bits` are worth 16 in the four bytes of codes. */
INLINE Ints ISA(add_fifth)(Ints codes, Ints bits, int i)
{
    __m256i byte = _mm256_set1_epi32(0x01010101 * (i >> 1));
    __m256i lane = _mm256_broadcastsi128_si256(
        _mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C));
    __m256i spread = _mm256_shuffle_epi8((__m256i)bits, _mm256_add_epi8(byte, lane));
    __m256i place = _mm256_set1_epi32(i & 1 ? (int)0x80402010u : 0x08040201);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, place), place);
    return codes | ((Ints)set & 0x10101010u);
}

INLINE Signed ISA(splat)(int32_t x) { return (Signed)_mm256_set1_epi32(x); }
INLINE Floats ISA(splat_float)(float x) { return (Floats)_mm256_set1_ps(x); }

INLINE Floats ISA(fma)(Floats a, Floats b, Floats c)
{
    return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

/* sum[t][r] += 16 products a row: word i of vector r, w[step i + r], by the i-th four codes of
 * token t, whose groups stand side by side. As many sums of 16 bits are added as cannot leave them:
 * 2 n most 127 is at most 32767. */
INLINE void ISA(dot4)(Signed *sum, const int rows, const int tokens, const Loaded *w,
                      const int step, const int8_t *codes, const int most)
{
    const __m256i one = _mm256_set1_epi16(1);
    const int most_added = most <= 32 ? 4 : most <= 64 ? 2 : 1, held = rows * tokens > 1;
    __m256i pairs[ABREAST_ROWS * ABREAST_TOKENS];
    UNROLL for (int i = 0; i < 4; i++) {
        __m256i q[ABREAST_ROWS];
        UNROLL for (int r = 0; r < rows; r++) {
            q[r] = (__m256i)w[step * i + r];
            if (held) HOLD(q[r]);
        }
        UNROLL for (int t = 0; t < tokens; t++) {
            int32_t four;
            memcpy(&four, codes + t * (ptrdiff_t)sizeof(Group) + 4 * i, 4);
            __m256i a = _mm256_set1_epi32(four);
            UNROLL for (int r = 0; r < rows; r++) {
                __m256i *p = &pairs[t * rows + r];
                __m256i x = most > 127 ? _mm256_maddubs_epi16(_mm256_abs_epi8(q[r]),
                                                              _mm256_sign_epi8(a, q[r]))
                                       : _mm256_maddubs_epi16(q[r], a);
                *p = i % most_added == 0 ? x : _mm256_add_epi16(*p, x);
                if (held) HOLD(*p);
            }
        }
        if ((i + 1) % most_added == 0)
            UNROLL for (int k = 0; k < rows * tokens; k++) {
                sum[k] += (Signed)_mm256_madd_epi16(pairs[k], one);
                if (held) HOLD(sum[k]);
            }
    }
}

/* 16 bytes of 16 rows as four words of each: twice 8 rows, two in a vector's halves */
INLINE void ISA(transpose)(const uint8_t *first, ptrdiff_t stride, uint8_t *out)
{
    UNROLL for (int half = 0; half < 2; half++, first += 8 * stride, out += 32) {
        __m256i row[4];
        UNROLL for (int i = 0; i < 4; i++) {
            const uint8_t *p = first + i * stride;
            row[i] = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)),
                _mm_loadu_si128((const __m128i *)(p + 4 * stride)), 1);
        }
        __m256i a = _mm256_unpacklo_epi32(row[0], row[1]);
        __m256i b = _mm256_unpackhi_epi32(row[0], row[1]);
        __m256i c = _mm256_unpacklo_epi32(row[2], row[3]);
        __m256i d = _mm256_unpackhi_epi32(row[2], row[3]);
        _mm256_storeu_si256((__m256i *)out, _mm256_unpacklo_epi64(a, c));
        _mm256_storeu_si256((__m256i *)(out + 64), _mm256_unpackhi_epi64(a, c));
        _mm256_storeu_si256((__m256i *)(out + 128), _mm256_unpacklo_epi64(b, d));
        _mm256_storeu_si256((__m256i *)(out + 192), _mm256_unpackhi_epi64(b, d));
    }
}

/* Sums of the lanes of each vector, added in halves: lane l + lane l + 8, then 4, 2, 1. */
INLINE void ISA(sums)(const Floats *x, float *out)
{
    __m256 a = (__m256)x[0], b = (__m256)x[1], c = (__m256)x[2], d = (__m256)x[3];
    a = _mm256_permute2f128_ps(a, b, 0x20) + _mm256_permute2f128_ps(a, b, 0x31);
    c = _mm256_permute2f128_ps(c, d, 0x20) + _mm256_permute2f128_ps(c, d, 0x31);
    __m256d u = _mm256_castps_pd(a), w = _mm256_castps_pd(c);
    a = _mm256_castpd_ps(_mm256_unpacklo_pd(u, w)) + _mm256_castpd_ps(_mm256_unpackhi_pd(u, w));
    a = _mm256_shuffle_ps(a, a, 0x88) + _mm256_shuffle_ps(a, a, 0xDD);
    out[0] = a[0], out[1] = a[4], out[2] = a[1], out[3] = a[5];
}

#include KERNELS

#ifdef MINENGINE_SIMD_PRODUCTS_H
/* integer.pyx, quantize_row, to the bit */
KERNEL void ISA(quantize)(const float *x, ptrdiff_t n_groups, Group *groups, ptrdiff_t stride)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    for (ptrdiff_t g = 0; g < n_groups; g++, groups += stride) {
        for (int half = 0; half < 2; half++, x += 16) {
            __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + 8);
            /* x - x is NaN where x is NaN or infinite */
            __m256 rest = _mm256_or_ps(_mm256_sub_ps(a, a), _mm256_sub_ps(b, b));
            int bad = _mm256_movemask_ps(_mm256_cmp_ps(rest, rest, _CMP_UNORD_Q));
            __m256 top = _mm256_max_ps(_mm256_andnot_ps(sign, a), _mm256_andnot_ps(sign, b));
            __m128 t = _mm_max_ps(_mm256_castps256_ps128(top), _mm256_extractf128_ps(top, 1));
            t = _mm_max_ps(t, _mm_movehl_ps(t, t));
            float largest = _mm_cvtss_f32(_mm_max_ss(t, _mm_movehdup_ps(t)));
            float inverse = largest > 127 / FLT_MAX ? 127 / largest : 0, scale = largest / 127;
            if (bad) scale = NAN, inverse = 0, a = b = _mm256_setzero_ps();
            __m256 by = _mm256_set1_ps(inverse);
            __m256i p = _mm256_cvtps_epi32(_mm256_mul_ps(a, by));
            __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(b, by));
            __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(p, q), 0xD8);
            __m128i codes = _mm_packs_epi16(_mm256_castsi256_si128(both),
                                            _mm256_extracti128_si256(both, 1));
            __m256i s = _mm256_add_epi32(p, q);
            __m128i u = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
            u = _mm_add_epi32(u, _mm_shuffle_epi32(u, 0x4E));
            int32_t sum = _mm_cvtsi128_si32(_mm_add_epi32(u, _mm_shuffle_epi32(u, 0xB1)));
            _mm_storeu_si128((__m128i *)(groups->codes + 16 * half), codes);
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
