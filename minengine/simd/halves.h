/* Half precision by the processor's own instructions, where it has them.
 *
 * Owns: the two loops over whole vectors. They return how many of the n numbers they did, 0 on other
 * processors; the caller does the rest by blocks.pxd's functions, which give the same values.
 */
#ifndef MINENGINE_SIMD_HALVES_H
#define MINENGINE_SIMD_HALVES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__F16C__)
#include <immintrin.h>

static inline ptrdiff_t halves_to_floats(const void *halves, float *y, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm_loadu_si128((const __m128i *)((const char *)halves + 2 * i));
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(h));
    }
    return i;
}

static inline ptrdiff_t floats_to_halves(const float *x, void *halves, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)((char *)halves + 2 * i), h);
    }
    return i;
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static inline ptrdiff_t halves_to_floats(const void *halves, float *y, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint8x8_t h = vld1_u8((const uint8_t *)halves + 2 * i);
        vst1q_f32(y + i, vcvt_f32_f16(vreinterpret_f16_u8(h)));
    }
    return i;
}

static inline ptrdiff_t floats_to_halves(const float *x, void *halves, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4)
        vst1_u8((uint8_t *)halves + 2 * i, vreinterpret_u8_f16(vcvt_f16_f32(vld1q_f32(x + i))));
    return i;
}

#else

static inline ptrdiff_t halves_to_floats(const void *halves, float *y, ptrdiff_t n)
{
    return (void)halves, (void)y, (void)n, 0;
}

static inline ptrdiff_t floats_to_halves(const float *x, void *halves, ptrdiff_t n)
{
    return (void)x, (void)halves, (void)n, 0;
}

#endif
#endif
