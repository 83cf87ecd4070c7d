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

struct __half {
  unsigned short bits;
  __half() = default;
  constexpr __half(const __half &) = default;
  constexpr __half &operator=(const __half &) = default;
  __half(float x) : bits(cudasim_float_to_half(x)) {}
  __half(double x) : bits(cudasim_double_to_half(x)) {}
  __half(int x) : bits(cudasim_double_to_half(double(x))) {}
  __half(unsigned int x) : bits(cudasim_double_to_half(double(x))) {}
  __half(long long x) : bits(cudasim_double_to_half(double(x))) {}
  operator float() const { return cudasim_half_to_float(bits); }
  __half &operator=(float x) {
    bits = cudasim_float_to_half(x);
    return *this;
  }
};
struct __align__(4) __half2 {
  __half x, y;
  __half2() = default;
  __half2(__half a, __half b) : x(a), y(b) {}
};
CUDASIM_LETTER_OF(__half, 'h', 2)
CUDASIM_LETTER_OF(__half2, 'h', 2)
CUDASIM_INLINE __half operator+(__half a, __half b) { return __half(float(a) + float(b)); }
CUDASIM_INLINE __half &operator+=(__half &a, __half b) { return a = a + b; }
CUDASIM_INLINE __half2 operator+(__half2 a, __half2 b) { return {a.x + b.x, a.y + b.y}; }
CUDASIM_INLINE __half2 &operator+=(__half2 &a, __half2 b) { return a = a + b; }
CUDASIM_INLINE __half operator-(__half a, __half b) { return __half(float(a) - float(b)); }
CUDASIM_INLINE __half &operator-=(__half &a, __half b) { return a = a - b; }
CUDASIM_INLINE __half2 operator-(__half2 a, __half2 b) { return {a.x - b.x, a.y - b.y}; }
CUDASIM_INLINE __half2 &operator-=(__half2 &a, __half2 b) { return a = a - b; }
CUDASIM_INLINE __half operator*(__half a, __half b) { return __half(float(a) * float(b)); }
CUDASIM_INLINE __half &operator*=(__half &a, __half b) { return a = a * b; }
CUDASIM_INLINE __half2 operator*(__half2 a, __half2 b) { return {a.x * b.x, a.y * b.y}; }
CUDASIM_INLINE __half2 &operator*=(__half2 &a, __half2 b) { return a = a * b; }
CUDASIM_INLINE __half operator/(__half a, __half b) { return __half(float(a) / float(b)); }
CUDASIM_INLINE __half &operator/=(__half &a, __half b) { return a = a / b; }
CUDASIM_INLINE __half2 operator/(__half2 a, __half2 b) { return {a.x / b.x, a.y / b.y}; }
CUDASIM_INLINE __half2 &operator/=(__half2 &a, __half2 b) { return a = a / b; }
CUDASIM_INLINE __half operator-(__half a) { return __half(-float(a)); }
CUDASIM_INLINE bool operator<(__half a, __half b) { return float(a) < float(b); }
CUDASIM_INLINE bool operator>(__half a, __half b) { return float(a) > float(b); }
CUDASIM_INLINE bool operator<=(__half a, __half b) { return float(a) <= float(b); }
CUDASIM_INLINE bool operator>=(__half a, __half b) { return float(a) >= float(b); }
CUDASIM_INLINE bool operator==(__half a, __half b) { return float(a) == float(b); }
CUDASIM_INLINE bool operator!=(__half a, __half b) { return float(a) != float(b); }
CUDASIM_INLINE __half __hadd(__half a, __half b) { return a + b; }
CUDASIM_INLINE __half __hsub(__half a, __half b) { return a - b; }
CUDASIM_INLINE __half __hmul(__half a, __half b) { return a * b; }
CUDASIM_INLINE __half __hdiv(__half a, __half b) { return a / b; }
CUDASIM_INLINE __half __hmax(__half a, __half b) { return float(b) > float(a) || float(a) != float(a) ? b : a; }
CUDASIM_INLINE __half __hmin(__half a, __half b) { return float(b) < float(a) || float(a) != float(a) ? b : a; }
CUDASIM_INLINE __half2 __hadd2(__half2 a, __half2 b) { return {__hadd(a.x, b.x), __hadd(a.y, b.y)}; }
CUDASIM_INLINE __half2 __hsub2(__half2 a, __half2 b) { return {__hsub(a.x, b.x), __hsub(a.y, b.y)}; }
CUDASIM_INLINE __half2 __hmul2(__half2 a, __half2 b) { return {__hmul(a.x, b.x), __hmul(a.y, b.y)}; }
CUDASIM_INLINE __half2 __h2div(__half2 a, __half2 b) { return {__hdiv(a.x, b.x), __hdiv(a.y, b.y)}; }
CUDASIM_INLINE __half2 __hmax2(__half2 a, __half2 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
CUDASIM_INLINE __half2 __hmin2(__half2 a, __half2 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
CUDASIM_INLINE __half __hfma(__half a, __half b, __half c) {
  __half out;
  out.bits = cudasim_double_to_half(double(float(a)) * double(float(b)) + double(float(c)));
  return out;
}
CUDASIM_INLINE __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
  return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
CUDASIM_INLINE __half __hneg(__half a) { return -a; }
CUDASIM_INLINE __half2 __hneg2(__half2 a) { return {-a.x, -a.y}; }
CUDASIM_INLINE __half __habs(__half a) { return __half(__builtin_fabsf(float(a))); }
CUDASIM_INLINE __half2 __habs2(__half2 a) { return {__habs(a.x), __habs(a.y)}; }
CUDASIM_INLINE bool __hisnan(__half a) { return float(a) != float(a); }
CUDASIM_INLINE int __hisinf(__half a) { return __builtin_isinf_sign(float(a)); }
CUDASIM_INLINE bool __heq(__half a, __half b) { return float(a) == float(b); }
CUDASIM_INLINE bool __hne(__half a, __half b) { return float(a) != float(b); }
CUDASIM_INLINE bool __hlt(__half a, __half b) { return float(a) < float(b); }
CUDASIM_INLINE bool __hle(__half a, __half b) { return float(a) <= float(b); }
CUDASIM_INLINE bool __hgt(__half a, __half b) { return float(a) > float(b); }
CUDASIM_INLINE bool __hge(__half a, __half b) { return float(a) >= float(b); }
CUDASIM_INLINE __half hexp(__half a) { return __half(expf(float(a))); }
CUDASIM_INLINE __half hlog(__half a) { return __half(logf(float(a))); }
CUDASIM_INLINE __half hsqrt(__half a) { return __half(sqrtf(float(a))); }
CUDASIM_INLINE __half hrsqrt(__half a) { return __half(rsqrtf(float(a))); }
CUDASIM_INLINE __half hrcp(__half a) { return __half(1.0f / (float(a))); }
CUDASIM_INLINE __half hsin(__half a) { return __half(sinf(float(a))); }
CUDASIM_INLINE __half hcos(__half a) { return __half(cosf(float(a))); }
CUDASIM_INLINE __half htanh(__half a) { return __half(tanhf(float(a))); }
CUDASIM_INLINE __half hexp2(__half a) { return __half(exp2f(float(a))); }
CUDASIM_INLINE __half hlog2(__half a) { return __half(log2f(float(a))); }
CUDASIM_INLINE __half hfloor(__half a) { return __half(floorf(float(a))); }
CUDASIM_INLINE __half hceil(__half a) { return __half(ceilf(float(a))); }
CUDASIM_INLINE __half hrint(__half a) { return __half(rintf(float(a))); }
CUDASIM_INLINE __half htrunc(__half a) { return __half(truncf(float(a))); }
CUDASIM_INLINE __half2 h2exp(__half2 a) { return {hexp(a.x), hexp(a.y)}; }
CUDASIM_INLINE __half2 h2log(__half2 a) { return {hlog(a.x), hlog(a.y)}; }
CUDASIM_INLINE __half2 h2sqrt(__half2 a) { return {hsqrt(a.x), hsqrt(a.y)}; }
CUDASIM_INLINE __half2 h2rsqrt(__half2 a) { return {hrsqrt(a.x), hrsqrt(a.y)}; }
CUDASIM_INLINE __half2 h2rcp(__half2 a) { return {hrcp(a.x), hrcp(a.y)}; }
CUDASIM_INLINE __half2 h2sin(__half2 a) { return {hsin(a.x), hsin(a.y)}; }
CUDASIM_INLINE __half2 h2cos(__half2 a) { return {hcos(a.x), hcos(a.y)}; }
CUDASIM_INLINE float __half2float(__half a) { return float(a); }
CUDASIM_INLINE __half __float2half(float x) { return __half(x); }
CUDASIM_INLINE __half __float2half_rn(float x) { return __half(x); }
CUDASIM_INLINE __half __double2half(double x) { return __half(x); }
CUDASIM_INLINE __half __int2half_rn(int x) { return __half(x); }
CUDASIM_INLINE __half __uint2half_rn(unsigned int x) { return __half(x); }
CUDASIM_INLINE int __half2int_rn(__half a) { return __float2int_rn(float(a)); }
CUDASIM_INLINE int __half2int_rz(__half a) { return int(float(a)); }
CUDASIM_INLINE unsigned short __half_as_ushort(__half a) { return a.bits; }
CUDASIM_INLINE short __half_as_short(__half a) { return short(a.bits); }
CUDASIM_INLINE __half __ushort_as_half(unsigned short u) { return cudasim_bits<__half>(u); }
CUDASIM_INLINE __half __short_as_half(short u) { return cudasim_bits<__half>(u); }
CUDASIM_INLINE __half2 __half2half2(__half a) { return {a, a}; }
CUDASIM_INLINE __half2 __halves2half2(__half a, __half b) { return {a, b}; }
CUDASIM_INLINE __half2 make_half2(__half a, __half b) { return {a, b}; }
CUDASIM_INLINE __half __low2half(__half2 a) { return a.x; }
CUDASIM_INLINE __half __high2half(__half2 a) { return a.y; }
CUDASIM_INLINE float __low2float(__half2 a) { return float(a.x); }
CUDASIM_INLINE float __high2float(__half2 a) { return float(a.y); }
CUDASIM_INLINE __half2 __low2half2(__half2 a) { return {a.x, a.x}; }
CUDASIM_INLINE __half2 __high2half2(__half2 a) { return {a.y, a.y}; }
CUDASIM_INLINE __half2 __lowhigh2highlow(__half2 a) { return {a.y, a.x}; }
CUDASIM_INLINE float2 __half22float2(__half2 a) { return float2{float(a.x), float(a.y)}; }
CUDASIM_INLINE __half2 __float22half2_rn(float2 v) { return {__half(v.x), __half(v.y)}; }
CUDASIM_INLINE __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
CUDASIM_INLINE __half2 __float2half2_rn(float x) { return {__half(x), __half(x)}; }
CUDASIM_ATOMIC __half atomicAdd(__half *p, __half v) {
  CUDASIM_NOTE(p);
  return cudasim_exchange<unsigned short>(p, [v](__half a) CUDASIM_PLAIN -> __half { return a + v; });
}
CUDASIM_ATOMIC __half2 atomicAdd(__half2 *p, __half2 v) {
  CUDASIM_NOTE(p);
  return cudasim_exchange<unsigned int>(p, [v](__half2 a) CUDASIM_PLAIN -> __half2 { return a + v; });
}

struct __nv_bfloat16 {
  unsigned short bits;
  __nv_bfloat16() = default;
  constexpr __nv_bfloat16(const __nv_bfloat16 &) = default;
  constexpr __nv_bfloat16 &operator=(const __nv_bfloat16 &) = default;
  __nv_bfloat16(float x) : bits(cudasim_float_to_bfloat(x)) {}
  __nv_bfloat16(double x) : bits(cudasim_double_to_bfloat(x)) {}
  __nv_bfloat16(int x) : bits(cudasim_double_to_bfloat(double(x))) {}
  __nv_bfloat16(unsigned int x) : bits(cudasim_double_to_bfloat(double(x))) {}
  __nv_bfloat16(long long x) : bits(cudasim_double_to_bfloat(double(x))) {}
  operator float() const { return cudasim_bfloat_to_float(bits); }
  __nv_bfloat16 &operator=(float x) {
    bits = cudasim_float_to_bfloat(x);
    return *this;
  }
};
struct __align__(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
  __nv_bfloat162() = default;
  __nv_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) : x(a), y(b) {}
};
CUDASIM_LETTER_OF(__nv_bfloat16, 'g', 2)
CUDASIM_LETTER_OF(__nv_bfloat162, 'g', 2)
CUDASIM_INLINE __nv_bfloat16 operator+(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat16(float(a) + float(b)); }
CUDASIM_INLINE __nv_bfloat16 &operator+=(__nv_bfloat16 &a, __nv_bfloat16 b) { return a = a + b; }
CUDASIM_INLINE __nv_bfloat162 operator+(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x + b.x, a.y + b.y}; }
CUDASIM_INLINE __nv_bfloat162 &operator+=(__nv_bfloat162 &a, __nv_bfloat162 b) { return a = a + b; }
CUDASIM_INLINE __nv_bfloat16 operator-(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat16(float(a) - float(b)); }
CUDASIM_INLINE __nv_bfloat16 &operator-=(__nv_bfloat16 &a, __nv_bfloat16 b) { return a = a - b; }
CUDASIM_INLINE __nv_bfloat162 operator-(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x - b.x, a.y - b.y}; }
CUDASIM_INLINE __nv_bfloat162 &operator-=(__nv_bfloat162 &a, __nv_bfloat162 b) { return a = a - b; }
CUDASIM_INLINE __nv_bfloat16 operator*(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat16(float(a) * float(b)); }
CUDASIM_INLINE __nv_bfloat16 &operator*=(__nv_bfloat16 &a, __nv_bfloat16 b) { return a = a * b; }
CUDASIM_INLINE __nv_bfloat162 operator*(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x * b.x, a.y * b.y}; }
CUDASIM_INLINE __nv_bfloat162 &operator*=(__nv_bfloat162 &a, __nv_bfloat162 b) { return a = a * b; }
CUDASIM_INLINE __nv_bfloat16 operator/(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat16(float(a) / float(b)); }
CUDASIM_INLINE __nv_bfloat16 &operator/=(__nv_bfloat16 &a, __nv_bfloat16 b) { return a = a / b; }
CUDASIM_INLINE __nv_bfloat162 operator/(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x / b.x, a.y / b.y}; }
CUDASIM_INLINE __nv_bfloat162 &operator/=(__nv_bfloat162 &a, __nv_bfloat162 b) { return a = a / b; }
CUDASIM_INLINE __nv_bfloat16 operator-(__nv_bfloat16 a) { return __nv_bfloat16(-float(a)); }
CUDASIM_INLINE bool operator<(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) < float(b); }
CUDASIM_INLINE bool operator>(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) > float(b); }
CUDASIM_INLINE bool operator<=(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) <= float(b); }
CUDASIM_INLINE bool operator>=(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) >= float(b); }
CUDASIM_INLINE bool operator==(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) == float(b); }
CUDASIM_INLINE bool operator!=(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) != float(b); }
CUDASIM_INLINE __nv_bfloat16 __hadd(__nv_bfloat16 a, __nv_bfloat16 b) { return a + b; }
CUDASIM_INLINE __nv_bfloat16 __hsub(__nv_bfloat16 a, __nv_bfloat16 b) { return a - b; }
CUDASIM_INLINE __nv_bfloat16 __hmul(__nv_bfloat16 a, __nv_bfloat16 b) { return a * b; }
CUDASIM_INLINE __nv_bfloat16 __hdiv(__nv_bfloat16 a, __nv_bfloat16 b) { return a / b; }
CUDASIM_INLINE __nv_bfloat16 __hmax(__nv_bfloat16 a, __nv_bfloat16 b) { return float(b) > float(a) || float(a) != float(a) ? b : a; }
CUDASIM_INLINE __nv_bfloat16 __hmin(__nv_bfloat16 a, __nv_bfloat16 b) { return float(b) < float(a) || float(a) != float(a) ? b : a; }
CUDASIM_INLINE __nv_bfloat162 __hadd2(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hadd(a.x, b.x), __hadd(a.y, b.y)}; }
CUDASIM_INLINE __nv_bfloat162 __hsub2(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hsub(a.x, b.x), __hsub(a.y, b.y)}; }
CUDASIM_INLINE __nv_bfloat162 __hmul2(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hmul(a.x, b.x), __hmul(a.y, b.y)}; }
CUDASIM_INLINE __nv_bfloat162 __h2div(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hdiv(a.x, b.x), __hdiv(a.y, b.y)}; }
CUDASIM_INLINE __nv_bfloat162 __hmax2(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
CUDASIM_INLINE __nv_bfloat162 __hmin2(__nv_bfloat162 a, __nv_bfloat162 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
CUDASIM_INLINE __nv_bfloat16 __hfma(__nv_bfloat16 a, __nv_bfloat16 b, __nv_bfloat16 c) {
  __nv_bfloat16 out;
  out.bits = cudasim_double_to_bfloat(double(float(a)) * double(float(b)) + double(float(c)));
  return out;
}
CUDASIM_INLINE __nv_bfloat162 __hfma2(__nv_bfloat162 a, __nv_bfloat162 b, __nv_bfloat162 c) {
  return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
CUDASIM_INLINE __nv_bfloat16 __hneg(__nv_bfloat16 a) { return -a; }
CUDASIM_INLINE __nv_bfloat162 __hneg2(__nv_bfloat162 a) { return {-a.x, -a.y}; }
CUDASIM_INLINE __nv_bfloat16 __habs(__nv_bfloat16 a) { return __nv_bfloat16(__builtin_fabsf(float(a))); }
CUDASIM_INLINE __nv_bfloat162 __habs2(__nv_bfloat162 a) { return {__habs(a.x), __habs(a.y)}; }
CUDASIM_INLINE bool __hisnan(__nv_bfloat16 a) { return float(a) != float(a); }
CUDASIM_INLINE int __hisinf(__nv_bfloat16 a) { return __builtin_isinf_sign(float(a)); }
CUDASIM_INLINE bool __heq(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) == float(b); }
CUDASIM_INLINE bool __hne(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) != float(b); }
CUDASIM_INLINE bool __hlt(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) < float(b); }
CUDASIM_INLINE bool __hle(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) <= float(b); }
CUDASIM_INLINE bool __hgt(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) > float(b); }
CUDASIM_INLINE bool __hge(__nv_bfloat16 a, __nv_bfloat16 b) { return float(a) >= float(b); }
CUDASIM_INLINE __nv_bfloat16 hexp(__nv_bfloat16 a) { return __nv_bfloat16(expf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hlog(__nv_bfloat16 a) { return __nv_bfloat16(logf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hsqrt(__nv_bfloat16 a) { return __nv_bfloat16(sqrtf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hrsqrt(__nv_bfloat16 a) { return __nv_bfloat16(rsqrtf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hrcp(__nv_bfloat16 a) { return __nv_bfloat16(1.0f / (float(a))); }
CUDASIM_INLINE __nv_bfloat16 hsin(__nv_bfloat16 a) { return __nv_bfloat16(sinf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hcos(__nv_bfloat16 a) { return __nv_bfloat16(cosf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 htanh(__nv_bfloat16 a) { return __nv_bfloat16(tanhf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hexp2(__nv_bfloat16 a) { return __nv_bfloat16(exp2f(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hlog2(__nv_bfloat16 a) { return __nv_bfloat16(log2f(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hfloor(__nv_bfloat16 a) { return __nv_bfloat16(floorf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hceil(__nv_bfloat16 a) { return __nv_bfloat16(ceilf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 hrint(__nv_bfloat16 a) { return __nv_bfloat16(rintf(float(a))); }
CUDASIM_INLINE __nv_bfloat16 htrunc(__nv_bfloat16 a) { return __nv_bfloat16(truncf(float(a))); }
CUDASIM_INLINE __nv_bfloat162 h2exp(__nv_bfloat162 a) { return {hexp(a.x), hexp(a.y)}; }
CUDASIM_INLINE __nv_bfloat162 h2log(__nv_bfloat162 a) { return {hlog(a.x), hlog(a.y)}; }
CUDASIM_INLINE __nv_bfloat162 h2sqrt(__nv_bfloat162 a) { return {hsqrt(a.x), hsqrt(a.y)}; }
CUDASIM_INLINE __nv_bfloat162 h2rsqrt(__nv_bfloat162 a) { return {hrsqrt(a.x), hrsqrt(a.y)}; }
CUDASIM_INLINE __nv_bfloat162 h2rcp(__nv_bfloat162 a) { return {hrcp(a.x), hrcp(a.y)}; }
CUDASIM_INLINE __nv_bfloat162 h2sin(__nv_bfloat162 a) { return {hsin(a.x), hsin(a.y)}; }
CUDASIM_INLINE __nv_bfloat162 h2cos(__nv_bfloat162 a) { return {hcos(a.x), hcos(a.y)}; }
CUDASIM_INLINE float __bfloat162float(__nv_bfloat16 a) { return float(a); }
CUDASIM_INLINE __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
CUDASIM_INLINE __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
CUDASIM_INLINE __nv_bfloat16 __double2bfloat16(double x) { return __nv_bfloat16(x); }
CUDASIM_INLINE __nv_bfloat16 __int2bfloat16_rn(int x) { return __nv_bfloat16(x); }
CUDASIM_INLINE __nv_bfloat16 __uint2bfloat16_rn(unsigned int x) { return __nv_bfloat16(x); }
CUDASIM_INLINE int __bfloat162int_rn(__nv_bfloat16 a) { return __float2int_rn(float(a)); }
CUDASIM_INLINE int __bfloat162int_rz(__nv_bfloat16 a) { return int(float(a)); }
CUDASIM_INLINE unsigned short __bfloat16_as_ushort(__nv_bfloat16 a) { return a.bits; }
CUDASIM_INLINE short __bfloat16_as_short(__nv_bfloat16 a) { return short(a.bits); }
CUDASIM_INLINE __nv_bfloat16 __ushort_as_bfloat16(unsigned short u) { return cudasim_bits<__nv_bfloat16>(u); }
CUDASIM_INLINE __nv_bfloat16 __short_as_bfloat16(short u) { return cudasim_bits<__nv_bfloat16>(u); }
CUDASIM_INLINE __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) { return {a, a}; }
CUDASIM_INLINE __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
CUDASIM_INLINE __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
CUDASIM_INLINE __nv_bfloat16 __low2bfloat16(__nv_bfloat162 a) { return a.x; }
CUDASIM_INLINE __nv_bfloat16 __high2bfloat16(__nv_bfloat162 a) { return a.y; }
CUDASIM_INLINE float __low2float(__nv_bfloat162 a) { return float(a.x); }
CUDASIM_INLINE float __high2float(__nv_bfloat162 a) { return float(a.y); }
CUDASIM_INLINE __nv_bfloat162 __low2bfloat162(__nv_bfloat162 a) { return {a.x, a.x}; }
CUDASIM_INLINE __nv_bfloat162 __high2bfloat162(__nv_bfloat162 a) { return {a.y, a.y}; }
CUDASIM_INLINE __nv_bfloat162 __lowhigh2highlow(__nv_bfloat162 a) { return {a.y, a.x}; }
CUDASIM_INLINE float2 __bfloat1622float2(__nv_bfloat162 a) { return float2{float(a.x), float(a.y)}; }
CUDASIM_INLINE __nv_bfloat162 __float22bfloat162_rn(float2 v) { return {__nv_bfloat16(v.x), __nv_bfloat16(v.y)}; }
CUDASIM_INLINE __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {__nv_bfloat16(x), __nv_bfloat16(y)}; }
CUDASIM_INLINE __nv_bfloat162 __float2bfloat162_rn(float x) { return {__nv_bfloat16(x), __nv_bfloat16(x)}; }
CUDASIM_ATOMIC __nv_bfloat16 atomicAdd(__nv_bfloat16 *p, __nv_bfloat16 v) {
  CUDASIM_NOTE(p);
  return cudasim_exchange<unsigned short>(p, [v](__nv_bfloat16 a) CUDASIM_PLAIN -> __nv_bfloat16 { return a + v; });
}
CUDASIM_ATOMIC __nv_bfloat162 atomicAdd(__nv_bfloat162 *p, __nv_bfloat162 v) {
  CUDASIM_NOTE(p);
  return cudasim_exchange<unsigned int>(p, [v](__nv_bfloat162 a) CUDASIM_PLAIN -> __nv_bfloat162 { return a + v; });
}
#undef CUDASIM_LETTER_OF
typedef __half half;
typedef __half2 half2;
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;
