/* NEON with the dot product of ARMv8.2: 4 rows in a vector, four products and their sum at once.
 *
 * Owns: the few operations that unpack.h, product.h and attend.h want, and the rounding
 * of activations. sdot multiplies signed by signed bytes and takes one of the four words of its
 * second vector for all lanes, so that a token's 16 codes are loaded once; codes keep their sign.
 */
#include <arm_neon.h>

#define ISA(name) name##_neon
#if defined(__clang__)
#define TARGET "dotprod"
#else
#define TARGET "arch=armv8.2-a+dotprod"
#endif
#define INLINE static inline __attribute__((always_inline, target(TARGET)))
#define KERNEL static __attribute__((target(TARGET)))
#define LANES 4
#define TILE 8  /* tokens: their sums, 8 vectors of weights and the rest fill 32 registers */
#define FEW 4  /* tokens that weights in registers meet */
#define ABREAST_ROWS 1  /* and tokens whose sums are written side by side */
#define ABREAST_TOKENS 1
#define ASK_AHEAD 0  /* its kernels never ask */
#define ASK_SOON 0
#define ASKS_ALWAYS 0
#define ASK_AFTER(x, p) ((void)(x), (void)(p))
#define SCORE_ROWS 2  /* by 2 keys: 16 vectors of sums */
#define SCORE_KEYS 2
#define GATHER_VECTORS 4  /* of 4 rows: 16 sums */
#define FLIP 0u
#define IN_ORDER(x)  /* as the compiler likes it */
#define PIN(x) __asm__("" : "+w"(x))
#define Ints Ints_neon
#define Signed Signed_neon
#define Shorts Shorts_neon
#define Floats Floats_neon
#define Loaded Loaded_neon
#define LoadedFloats LoadedFloats_neon

typedef uint32_t Ints __attribute__((vector_size(16)));
typedef int32_t Signed __attribute__((vector_size(16)));
typedef uint16_t Shorts __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(16)));
typedef Ints Loaded __attribute__((may_alias));  /* where they lie in memory, be it as bytes */
typedef Floats LoadedFloats __attribute__((may_alias));

INLINE Ints ISA(load)(const uint8_t *p)
{
    return (Ints)vreinterpretq_u32_u8(vld1q_u8(p));
}

INLINE Floats ISA(halves)(const uint8_t *p)
{
    return (Floats)vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

INLINE Floats ISA(low_halves)(Ints x)
{
    return (Floats)vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32((uint32x4_t)x)));
}

INLINE Ints ISA(load_bytes)(const uint8_t *p)
{
    return (Ints){p[0], p[1], p[2], p[3]};
}

INLINE Ints ISA(levels)(const int8_t *table, Ints nibbles)
{
    return (Ints)vreinterpretq_u32_s8(
        vqtbl1q_s8(vld1q_s8(table), vreinterpretq_u8_u32((uint32x4_t)nibbles)));
}

/* Bits 4i .. 4i + 3 of `bits` are worth 16 in the four bytes of codes. */
INLINE Ints ISA(add_fifth)(Ints codes, Ints bits, int i)
{
    Ints at = (Ints){0, 0x04040404, 0x08080808, 0x0C0C0C0C} + 0x01010101u * (uint32_t)(i >> 1);
    uint8x16_t spread = vqtbl1q_u8(vreinterpretq_u8_u32((uint32x4_t)bits),
                                   vreinterpretq_u8_u32((uint32x4_t)at));
    uint32_t places = i & 1 ? 0x80402010u : 0x08040201u;
    uint8x16_t set = vtstq_u8(spread, vreinterpretq_u8_u32(vdupq_n_u32(places)));
    return codes | ((Ints)vreinterpretq_u32_u8(set) & 0x10101010u);
}

INLINE Signed ISA(splat)(int32_t x) { return (Signed)vdupq_n_s32(x); }
INLINE Floats ISA(splat_float)(float x) { return (Floats)vdupq_n_f32(x); }

INLINE Floats ISA(fma)(Floats a, Floats b, Floats c)
{
    return (Floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

/* sum += 16 products a row: word i, w[step i], by the i-th four codes of one token */
INLINE void ISA(dot4)(Signed *sum, const int rows, const int tokens, const Loaded *w,
                      const int step, const int8_t *codes, const int most)
{
    int8x16_t a = vld1q_s8(codes);
    int32x4_t s = (int32x4_t)*sum;
    (void)rows, (void)tokens, (void)most;
    s = vdotq_laneq_s32(s, vreinterpretq_s8_u32((uint32x4_t)w[0]), a, 0);
    s = vdotq_laneq_s32(s, vreinterpretq_s8_u32((uint32x4_t)w[step]), a, 1);
    s = vdotq_laneq_s32(s, vreinterpretq_s8_u32((uint32x4_t)w[2 * step]), a, 2);
    *sum = (Signed)vdotq_laneq_s32(s, vreinterpretq_s8_u32((uint32x4_t)w[3 * step]), a, 3);
}

/* 16 bytes of 16 rows as four words of each: four times 4 rows */
INLINE void ISA(transpose)(const uint8_t *first, ptrdiff_t stride, uint8_t *out)
{
    UNROLL for (int part = 0; part < 4; part++, first += 4 * stride, out += 16) {
        uint32x4_t a = (uint32x4_t)ISA(load)(first), b = (uint32x4_t)ISA(load)(first + stride);
        uint32x4_t c = (uint32x4_t)ISA(load)(first + 2 * stride);
        uint32x4_t d = (uint32x4_t)ISA(load)(first + 3 * stride);
        uint64x2_t ab = vreinterpretq_u64_u32(vtrn1q_u32(a, b));
        uint64x2_t cd = vreinterpretq_u64_u32(vtrn1q_u32(c, d));
        uint64x2_t odd_ab = vreinterpretq_u64_u32(vtrn2q_u32(a, b));
        uint64x2_t odd_cd = vreinterpretq_u64_u32(vtrn2q_u32(c, d));
        vst1q_u8(out, vreinterpretq_u8_u64(vtrn1q_u64(ab, cd)));
        vst1q_u8(out + 64, vreinterpretq_u8_u64(vtrn1q_u64(odd_ab, odd_cd)));
        vst1q_u8(out + 128, vreinterpretq_u8_u64(vtrn2q_u64(ab, cd)));
        vst1q_u8(out + 192, vreinterpretq_u8_u64(vtrn2q_u64(odd_ab, odd_cd)));
    }
}

/* Sums of the lanes of each vector, added in halves: lane l + lane l + 8, then 4, 2, 1. */
INLINE void ISA(sums)(const Floats *x, float *out)
{
    float32x2_t half[4];
    UNROLL for (int i = 0; i < 4; i++)
        half[i] = vadd_f32(vget_low_f32((float32x4_t)x[i]), vget_high_f32((float32x4_t)x[i]));
    vst1q_f32(out, vcombine_f32(vpadd_f32(half[0], half[1]), vpadd_f32(half[2], half[3])));
}

#include KERNELS

#ifdef MINENGINE_SIMD_PRODUCTS_H
/* integer.pyx, quantize_row, to the bit */
KERNEL void ISA(quantize)(const float *x, ptrdiff_t n_groups, Group *groups, ptrdiff_t stride)
{
    for (ptrdiff_t g = 0; g < n_groups; g++, groups += stride) {
        for (int half = 0; half < 2; half++, x += 16) {
            float32x4_t v[4], top = vdupq_n_f32(0), rest = vdupq_n_f32(0);
            UNROLL for (int i = 0; i < 4; i++) {
                v[i] = vld1q_f32(x + 4 * i);
                top = vmaxq_f32(top, vabsq_f32(v[i]));
                /* NaN where x is none or infinite */
                rest = vaddq_f32(rest, vsubq_f32(v[i], v[i]));
            }
            float largest = vmaxvq_f32(top), none = vaddvq_f32(rest);
            float inverse = largest > 127 / FLT_MAX ? 127 / largest : 0, scale = largest / 127;
            if (none != none) {
                scale = NAN, inverse = 0;
                UNROLL for (int i = 0; i < 4; i++) v[i] = vdupq_n_f32(0);
            }
            int32x4_t sum = vdupq_n_s32(0);
            int16x4_t q[4];
            UNROLL for (int i = 0; i < 4; i++) {
                int32x4_t code = vcvtnq_s32_f32(vmulq_n_f32(v[i], inverse));
                sum = vaddq_s32(sum, code);
                q[i] = vmovn_s32(code);
            }
            vst1q_s8(groups->codes + 16 * half,
                     vcombine_s8(vmovn_s16(vcombine_s16(q[0], q[1])),
                                 vmovn_s16(vcombine_s16(q[2], q[3]))));
            int32_t total = vaddvq_s32(sum);
            groups->scale[half] = scale;
            groups->minus_sum[half] = -total;
            groups->sum[half] = scale * (float)total;
        }
        groups->both = __builtin_fmaf(groups->scale[1], -(float)groups->minus_sum[1],
                                      groups->sum[0]);
    }
}
#endif

#include "undef.h"
