// half, half2, __nv_bfloat16 and their functions.
//
// Owns: both 16-bit formats as bit patterns; arithmetic goes through float and is rounded once, to
// nearest even, as a GPU's is (24 bits of float hold sums, products and quotients of 11 exactly
// enough). A fused multiply-add goes through double. NaN keeps no payload.
#pragma once
#include "cudasim.h"

CUDASIM_INLINE float cudasim_half_to_float(unsigned short h) {
#ifdef __F16C__
  typedef short v8 __attribute__((vector_size(16)));
  return __builtin_ia32_vcvtph2ps(v8{short(h)})[0];
#else
  unsigned int sign = (h & 0x8000u) << 16, e = h >> 10 & 31, m = h & 0x3ffu;
  if (e == 31) return cudasim_bits<float>(sign | 0x7f800000u | m << 13);
  if (e == 0) return (sign ? -1.0f : 1.0f) * float(m) * 0x1p-24f;
  return cudasim_bits<float>(sign | (e + 112) << 23 | m << 13);
#endif
}
// Double to half, rounding to nearest even once.
CUDASIM_INLINE unsigned short cudasim_double_to_half(double x) {
  unsigned short sign = __builtin_signbit(x) ? 0x8000 : 0;
  double a = __builtin_fabs(x);
  if (a != a) return 0x7fff;
  if (a >= 65520.0) return sign | 0x7c00;
  if (a < 0x1p-14) return sign | (unsigned short)(::rint(a * 0x1p24));
  unsigned long long bits = cudasim_bits<unsigned long long>(a);
  int e = int(bits >> 52) - 1023;
  unsigned long long m = bits & 0xfffffffffffffull;
  unsigned int kept = (unsigned int)(m >> 42);
  unsigned long long rest = m & 0x3ffffffffffull, middle = 1ull << 41;
  unsigned int h = (unsigned int)(e + 15) << 10 | kept;
  h += rest > middle || (rest == middle && (h & 1));
  return sign | (unsigned short)h;
}
CUDASIM_INLINE unsigned short cudasim_float_to_half(float x) {
#ifdef __F16C__
  typedef float v4 __attribute__((vector_size(16)));
  return (unsigned short)__builtin_ia32_vcvtps2ph(v4{x}, 0)[0];
#else
  return cudasim_double_to_half(double(x));
#endif
}
CUDASIM_INLINE float cudasim_bfloat_to_float(unsigned short b) {
  return cudasim_bits<float>((unsigned int)b << 16);
}
CUDASIM_INLINE unsigned short cudasim_float_to_bfloat(float x) {
  unsigned int u = cudasim_bits<unsigned int>(x);
  if (x != x) return 0x7fff;
  return (unsigned short)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
CUDASIM_INLINE unsigned short cudasim_double_to_bfloat(double x) {
  float f = float(x);  // rounded to odd, so that the second rounding decides as one would
  unsigned int u = cudasim_bits<unsigned int>(f);
  if (double(f) != x && f == f && !__builtin_isinf(f)) {
    if (__builtin_fabs(double(f)) > __builtin_fabs(x)) u -= 1;
    u |= 1;
  }
  return cudasim_float_to_bfloat(cudasim_bits<float>(u));
}

#define CUDASIM_LETTER_OF(type, l, bytes)           \
  template <>                                       \
  struct CudasimType<type> {                        \
    static constexpr char letter = l;               \
    static constexpr unsigned size = sizeof(type);  \
    static constexpr unsigned component = bytes;    \
  };

#define CUDASIM_NARROW __half
#define CUDASIM_NARROW2 __half2
#define CUDASIM_WORD half
#define CUDASIM_LETTER 'h'
#define CUDASIM_FROM_FLOAT cudasim_float_to_half
#define CUDASIM_FROM_DOUBLE cudasim_double_to_half
#define CUDASIM_TO_FLOAT cudasim_half_to_float
#include "narrow.h"

#define CUDASIM_NARROW __nv_bfloat16
#define CUDASIM_NARROW2 __nv_bfloat162
#define CUDASIM_WORD bfloat16
#define CUDASIM_LETTER 'g'
#define CUDASIM_FROM_FLOAT cudasim_float_to_bfloat
#define CUDASIM_FROM_DOUBLE cudasim_double_to_bfloat
#define CUDASIM_TO_FLOAT cudasim_bfloat_to_float
#include "narrow.h"
#undef CUDASIM_LETTER_OF
typedef __half half;
typedef __half2 half2;
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;
