// The mathematical functions of device code.
//
// Owns: every name of CUDA's math API that kernels use: C's functions in both precisions with C++
// overloads for float, the fast-math intrinsics, integer and conversion intrinsics, min and max.
// The intrinsics (__expf, __fdividef) are as exact here as their slow twins; on a GPU they are not.
#pragma once
#include "traits.h"
#include "vectors.h"

extern "C" {
double sin(double);
float sinf(float);
double cos(double);
float cosf(float);
double tan(double);
float tanf(float);
double asin(double);
float asinf(float);
double acos(double);
float acosf(float);
double atan(double);
float atanf(float);
double sinh(double);
float sinhf(float);
double cosh(double);
float coshf(float);
double tanh(double);
float tanhf(float);
double asinh(double);
float asinhf(float);
double acosh(double);
float acoshf(float);
double atanh(double);
float atanhf(float);
double exp(double);
float expf(float);
double exp2(double);
float exp2f(float);
double expm1(double);
float expm1f(float);
double log(double);
float logf(float);
double log2(double);
float log2f(float);
double log10(double);
float log10f(float);
double log1p(double);
float log1pf(float);
double sqrt(double);
float sqrtf(float);
double cbrt(double);
float cbrtf(float);
double ceil(double);
float ceilf(float);
double floor(double);
float floorf(float);
double trunc(double);
float truncf(float);
double round(double);
float roundf(float);
double rint(double);
float rintf(float);
double nearbyint(double);
float nearbyintf(float);
double fabs(double);
float fabsf(float);
double erf(double);
float erff(float);
double erfc(double);
float erfcf(float);
double tgamma(double);
float tgammaf(float);
double lgamma(double);
float lgammaf(float);
double logb(double);
float logbf(float);
double pow(double, double);
float powf(float, float);
double atan2(double, double);
float atan2f(float, float);
double fmod(double, double);
float fmodf(float, float);
double remainder(double, double);
float remainderf(float, float);
double hypot(double, double);
float hypotf(float, float);
double fdim(double, double);
float fdimf(float, float);
double copysign(double, double);
float copysignf(float, float);
double nextafter(double, double);
float nextafterf(float, float);
double fmax(double, double);
float fmaxf(float, float);
double fmin(double, double);
float fminf(float, float);
double fma(double, double, double);
float fmaf(float, float, float);
double ldexp(double, int);
float ldexpf(float, int);
double frexp(double, int *);
float frexpf(float, int *);
double modf(double, double *);
float modff(float, float *);
long lround(double);
long lroundf(float);
long lrint(double);
long lrintf(float);
long long llround(double);
long long llrint(double);
int abs(int);
long labs(long);
long long llabs(long long);
}

CUDASIM_INLINE float sin(float x) { return ::sinf(x); }
CUDASIM_INLINE float cos(float x) { return ::cosf(x); }
CUDASIM_INLINE float tan(float x) { return ::tanf(x); }
CUDASIM_INLINE float asin(float x) { return ::asinf(x); }
CUDASIM_INLINE float acos(float x) { return ::acosf(x); }
CUDASIM_INLINE float atan(float x) { return ::atanf(x); }
CUDASIM_INLINE float sinh(float x) { return ::sinhf(x); }
CUDASIM_INLINE float cosh(float x) { return ::coshf(x); }
CUDASIM_INLINE float tanh(float x) { return ::tanhf(x); }
CUDASIM_INLINE float asinh(float x) { return ::asinhf(x); }
CUDASIM_INLINE float acosh(float x) { return ::acoshf(x); }
CUDASIM_INLINE float atanh(float x) { return ::atanhf(x); }
CUDASIM_INLINE float exp(float x) { return ::expf(x); }
CUDASIM_INLINE float exp2(float x) { return ::exp2f(x); }
CUDASIM_INLINE float expm1(float x) { return ::expm1f(x); }
CUDASIM_INLINE float log(float x) { return ::logf(x); }
CUDASIM_INLINE float log2(float x) { return ::log2f(x); }
CUDASIM_INLINE float log10(float x) { return ::log10f(x); }
CUDASIM_INLINE float log1p(float x) { return ::log1pf(x); }
CUDASIM_INLINE float sqrt(float x) { return ::sqrtf(x); }
CUDASIM_INLINE float cbrt(float x) { return ::cbrtf(x); }
CUDASIM_INLINE float ceil(float x) { return ::ceilf(x); }
CUDASIM_INLINE float floor(float x) { return ::floorf(x); }
CUDASIM_INLINE float trunc(float x) { return ::truncf(x); }
CUDASIM_INLINE float round(float x) { return ::roundf(x); }
CUDASIM_INLINE float rint(float x) { return ::rintf(x); }
CUDASIM_INLINE float nearbyint(float x) { return ::nearbyintf(x); }
CUDASIM_INLINE float fabs(float x) { return ::fabsf(x); }
CUDASIM_INLINE float erf(float x) { return ::erff(x); }
CUDASIM_INLINE float erfc(float x) { return ::erfcf(x); }
CUDASIM_INLINE float tgamma(float x) { return ::tgammaf(x); }
CUDASIM_INLINE float lgamma(float x) { return ::lgammaf(x); }
CUDASIM_INLINE float logb(float x) { return ::logbf(x); }
CUDASIM_INLINE float pow(float x, float y) { return ::powf(x, y); }
CUDASIM_INLINE double pow(float x, double y) { return ::pow(double(x), y); }
CUDASIM_INLINE double pow(double x, float y) { return ::pow(x, double(y)); }
CUDASIM_INLINE float atan2(float x, float y) { return ::atan2f(x, y); }
CUDASIM_INLINE double atan2(float x, double y) { return ::atan2(double(x), y); }
CUDASIM_INLINE double atan2(double x, float y) { return ::atan2(x, double(y)); }
CUDASIM_INLINE float fmod(float x, float y) { return ::fmodf(x, y); }
CUDASIM_INLINE double fmod(float x, double y) { return ::fmod(double(x), y); }
CUDASIM_INLINE double fmod(double x, float y) { return ::fmod(x, double(y)); }
CUDASIM_INLINE float remainder(float x, float y) { return ::remainderf(x, y); }
CUDASIM_INLINE double remainder(float x, double y) { return ::remainder(double(x), y); }
CUDASIM_INLINE double remainder(double x, float y) { return ::remainder(x, double(y)); }
CUDASIM_INLINE float hypot(float x, float y) { return ::hypotf(x, y); }
CUDASIM_INLINE double hypot(float x, double y) { return ::hypot(double(x), y); }
CUDASIM_INLINE double hypot(double x, float y) { return ::hypot(x, double(y)); }
CUDASIM_INLINE float fdim(float x, float y) { return ::fdimf(x, y); }
CUDASIM_INLINE double fdim(float x, double y) { return ::fdim(double(x), y); }
CUDASIM_INLINE double fdim(double x, float y) { return ::fdim(x, double(y)); }
CUDASIM_INLINE float copysign(float x, float y) { return ::copysignf(x, y); }
CUDASIM_INLINE double copysign(float x, double y) { return ::copysign(double(x), y); }
CUDASIM_INLINE double copysign(double x, float y) { return ::copysign(x, double(y)); }
CUDASIM_INLINE float nextafter(float x, float y) { return ::nextafterf(x, y); }
CUDASIM_INLINE double nextafter(float x, double y) { return ::nextafter(double(x), y); }
CUDASIM_INLINE double nextafter(double x, float y) { return ::nextafter(x, double(y)); }
CUDASIM_INLINE float fmax(float x, float y) { return ::fmaxf(x, y); }
CUDASIM_INLINE double fmax(float x, double y) { return ::fmax(double(x), y); }
CUDASIM_INLINE double fmax(double x, float y) { return ::fmax(x, double(y)); }
CUDASIM_INLINE float fmin(float x, float y) { return ::fminf(x, y); }
CUDASIM_INLINE double fmin(float x, double y) { return ::fmin(double(x), y); }
CUDASIM_INLINE double fmin(double x, float y) { return ::fmin(x, double(y)); }
CUDASIM_INLINE float pow(float x, int y) { return ::powf(x, float(y)); }
CUDASIM_INLINE double pow(double x, int y) { return ::pow(x, double(y)); }
CUDASIM_INLINE float fma(float x, float y, float z) { return ::fmaf(x, y, z); }
CUDASIM_INLINE float ldexp(float x, int e) { return ::ldexpf(x, e); }
CUDASIM_INLINE float abs(float x) { return __builtin_fabsf(x); }
CUDASIM_INLINE double abs(double x) { return __builtin_fabs(x); }
CUDASIM_INLINE long abs(long x) { return x < 0 ? -x : x; }
CUDASIM_INLINE long long abs(long long x) { return x < 0 ? -x : x; }
CUDASIM_INLINE float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }
CUDASIM_INLINE double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
CUDASIM_INLINE float rsqrt(float x) { return rsqrtf(x); }
CUDASIM_INLINE float rcbrtf(float x) { return 1.0f / cbrtf(x); }
CUDASIM_INLINE float exp10f(float x) { return ::powf(10.0f, x); }
CUDASIM_INLINE double exp10(double x) { return ::pow(10.0, x); }
CUDASIM_INLINE float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678118654752f); }
CUDASIM_INLINE float sinpif(float x) { return float(::sin(3.14159265358979323846 * x)); }
CUDASIM_INLINE float cospif(float x) { return float(::cos(3.14159265358979323846 * x)); }
CUDASIM_INLINE void sincosf(float x, float *s, float *c) {
  *s = sinf(x);
  *c = cosf(x);
}
CUDASIM_INLINE void sincos(double x, double *s, double *c) {
  *s = ::sin(x);
  *c = ::cos(x);
}
CUDASIM_INLINE float saturate(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
CUDASIM_INLINE bool isnan(float x) { return __builtin_isnan(x); }
CUDASIM_INLINE bool isnan(double x) { return __builtin_isnan(x); }
CUDASIM_INLINE bool isinf(float x) { return __builtin_isinf_sign(x) != 0; }
CUDASIM_INLINE bool isinf(double x) { return __builtin_isinf_sign(x) != 0; }
CUDASIM_INLINE bool isfinite(float x) { return __builtin_isfinite(x); }
CUDASIM_INLINE bool isfinite(double x) { return __builtin_isfinite(x); }
CUDASIM_INLINE bool signbit(float x) { return __builtin_signbit(x) != 0; }
CUDASIM_INLINE bool signbit(double x) { return __builtin_signbit(x) != 0; }

// min and max of mixed types go where C++'s arithmetic would take them; of floats, NaN loses.
#define CUDASIM_MINMAX(type)                                                \
  CUDASIM_INLINE constexpr type max(type a, type b) { return a < b ? b : a; } \
  CUDASIM_INLINE constexpr type min(type a, type b) { return b < a ? b : a; }
CUDASIM_MINMAX(int)
CUDASIM_MINMAX(unsigned int)
CUDASIM_MINMAX(long)
CUDASIM_MINMAX(unsigned long)
CUDASIM_MINMAX(long long)
CUDASIM_MINMAX(unsigned long long)
#undef CUDASIM_MINMAX
#define CUDASIM_MIXED(a_type, b_type, type)                                               \
  CUDASIM_INLINE constexpr type max(a_type a, b_type b) { return max((type)(a), (type)(b)); } \
  CUDASIM_INLINE constexpr type max(b_type a, a_type b) { return max((type)(a), (type)(b)); } \
  CUDASIM_INLINE constexpr type min(a_type a, b_type b) { return min((type)(a), (type)(b)); } \
  CUDASIM_INLINE constexpr type min(b_type a, a_type b) { return min((type)(a), (type)(b)); }
CUDASIM_MIXED(int, unsigned int, unsigned int)
CUDASIM_MIXED(int, long, long)
CUDASIM_MIXED(int, long long, long long)
CUDASIM_MIXED(int, unsigned long, unsigned long)
CUDASIM_MIXED(int, unsigned long long, unsigned long long)
CUDASIM_MIXED(unsigned int, unsigned long, unsigned long)
CUDASIM_MIXED(unsigned int, long, long)
CUDASIM_MIXED(long, unsigned long, unsigned long)
#undef CUDASIM_MIXED
CUDASIM_INLINE float max(float a, float b) { return __builtin_fmaxf(a, b); }
CUDASIM_INLINE float min(float a, float b) { return __builtin_fminf(a, b); }
CUDASIM_INLINE double max(double a, double b) { return __builtin_fmax(a, b); }
CUDASIM_INLINE double min(double a, double b) { return __builtin_fmin(a, b); }
CUDASIM_INLINE double max(float a, double b) { return __builtin_fmax(a, b); }
CUDASIM_INLINE double max(double a, float b) { return __builtin_fmax(a, b); }
CUDASIM_INLINE double min(float a, double b) { return __builtin_fmin(a, b); }
CUDASIM_INLINE double min(double a, float b) { return __builtin_fmin(a, b); }

CUDASIM_INLINE float __expf(float x) { return expf(x); }
CUDASIM_INLINE float __exp10f(float x) { return exp10f(x); }
CUDASIM_INLINE float __logf(float x) { return logf(x); }
CUDASIM_INLINE float __log2f(float x) { return log2f(x); }
CUDASIM_INLINE float __log10f(float x) { return log10f(x); }
CUDASIM_INLINE float __sinf(float x) { return sinf(x); }
CUDASIM_INLINE float __cosf(float x) { return cosf(x); }
CUDASIM_INLINE float __tanf(float x) { return tanf(x); }
CUDASIM_INLINE float __tanhf(float x) { return tanhf(x); }
CUDASIM_INLINE void __sincosf(float x, float *s, float *c) { sincosf(x, s, c); }
CUDASIM_INLINE float __powf(float x, float y) { return powf(x, y); }
CUDASIM_INLINE float __fdividef(float x, float y) { return x / y; }
CUDASIM_INLINE float fdividef(float x, float y) { return x / y; }
CUDASIM_INLINE float __saturatef(float x) { return saturate(x); }
CUDASIM_INLINE float __frsqrt_rn(float x) { return rsqrtf(x); }
#define CUDASIM_ROUNDED(suffix)                                                            \
  CUDASIM_INLINE float __fadd_##suffix(float x, float y) { return x + y; }                 \
  CUDASIM_INLINE float __fsub_##suffix(float x, float y) { return x - y; }                 \
  CUDASIM_INLINE float __fmul_##suffix(float x, float y) { return x * y; }                 \
  CUDASIM_INLINE float __fdiv_##suffix(float x, float y) { return x / y; }                 \
  CUDASIM_INLINE float __frcp_##suffix(float x) { return 1.0f / x; }                       \
  CUDASIM_INLINE float __fsqrt_##suffix(float x) { return __builtin_sqrtf(x); }            \
  CUDASIM_INLINE float __fmaf_##suffix(float x, float y, float z) { return fmaf(x, y, z); }\
  CUDASIM_INLINE double __dadd_##suffix(double x, double y) { return x + y; }              \
  CUDASIM_INLINE double __dmul_##suffix(double x, double y) { return x * y; }
CUDASIM_ROUNDED(rn)
#undef CUDASIM_ROUNDED

CUDASIM_INLINE int __float2int_rn(float x) { return int(rintf(x)); }
CUDASIM_INLINE int __float2int_rz(float x) { return int(x); }
CUDASIM_INLINE int __float2int_ru(float x) { return int(ceilf(x)); }
CUDASIM_INLINE int __float2int_rd(float x) { return int(floorf(x)); }
CUDASIM_INLINE unsigned int __float2uint_rn(float x) { return (unsigned int)(rintf(x)); }
CUDASIM_INLINE unsigned int __float2uint_rz(float x) { return (unsigned int)(x); }
CUDASIM_INLINE float __int2float_rn(int x) { return float(x); }
CUDASIM_INLINE float __uint2float_rn(unsigned int x) { return float(x); }
CUDASIM_INLINE float __double2float_rn(double x) { return float(x); }
template <class To, class From>
CUDASIM_INLINE To cudasim_bits(From v) {
  static_assert(sizeof(To) == sizeof(From), "a bit pattern keeps its size");
  To out;
  __builtin_memcpy(&out, &v, sizeof(out));
  return out;
}
CUDASIM_INLINE int __float_as_int(float x) { return cudasim_bits<int>(x); }
CUDASIM_INLINE unsigned int __float_as_uint(float x) { return cudasim_bits<unsigned int>(x); }
CUDASIM_INLINE float __int_as_float(int x) { return cudasim_bits<float>(x); }
CUDASIM_INLINE float __uint_as_float(unsigned int x) { return cudasim_bits<float>(x); }
CUDASIM_INLINE long long __double_as_longlong(double x) { return cudasim_bits<long long>(x); }
CUDASIM_INLINE double __longlong_as_double(long long x) { return cudasim_bits<double>(x); }

CUDASIM_INLINE int __popc(unsigned int x) { return __builtin_popcount(x); }
CUDASIM_INLINE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
CUDASIM_INLINE int __clz(int x) { return x ? __builtin_clz((unsigned int)x) : 32; }
CUDASIM_INLINE int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
CUDASIM_INLINE int __ffs(int x) { return __builtin_ffs(x); }
CUDASIM_INLINE int __ffsll(long long x) { return __builtin_ffsll(x); }
CUDASIM_INLINE unsigned int __brev(unsigned int x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}
CUDASIM_INLINE int __mul24(int a, int b) {
  return int(unsigned(a << 8 >> 8) * unsigned(b << 8 >> 8));
}
CUDASIM_INLINE unsigned int __umul24(unsigned int a, unsigned int b) {
  return (a & 0xffffffu) * (b & 0xffffffu);
}
CUDASIM_INLINE int __mulhi(int a, int b) { return int((long long)a * b >> 32); }
CUDASIM_INLINE unsigned int __umulhi(unsigned int a, unsigned int b) {
  return (unsigned int)((unsigned long long)a * b >> 32);
}
CUDASIM_INLINE unsigned int __byte_perm(unsigned int x, unsigned int y, unsigned int s) {
  unsigned long long both = (unsigned long long)y << 32 | x;
  unsigned int out = 0;
  for (int i = 0; i < 4; i++) out |= (unsigned int)(both >> 8 * (s >> 4 * i & 7) & 255) << 8 * i;
  return out;
}
CUDASIM_INLINE unsigned int __funnelshift_l(unsigned int low, unsigned int high, unsigned int n) {
  return (unsigned int)(((unsigned long long)high << 32 | low) << (n & 31) >> 32);
}
CUDASIM_INLINE unsigned int __funnelshift_r(unsigned int low, unsigned int high, unsigned int n) {
  return (unsigned int)(((unsigned long long)high << 32 | low) >> (n & 31));
}
CUDASIM_INLINE int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 32; i += 8) c += int((signed char)(a >> i)) * int((signed char)(b >> i));
  return c;
}
CUDASIM_INLINE unsigned int __dp4a(unsigned int a, unsigned int b, unsigned int c) {
  for (int i = 0; i < 32; i += 8) c += (a >> i & 255u) * (b >> i & 255u);
  return c;
}
CUDASIM_INLINE unsigned int __vadd4(unsigned int a, unsigned int b) {
  return ((a & 0x7f7f7f7fu) + (b & 0x7f7f7f7fu)) ^ ((a ^ b) & 0x80808080u);
}
CUDASIM_INLINE unsigned int __vsub4(unsigned int a, unsigned int b) {
  return ((a | 0x80808080u) - (b & 0x7f7f7f7fu)) ^ ((a ^ ~b) & 0x80808080u);
}
CUDASIM_INLINE int __vsubss4(int a, int b) {
  int out = 0;
  for (int i = 0; i < 32; i += 8) {
    int d = int((signed char)(a >> i)) - int((signed char)(b >> i));
    d = d > 127 ? 127 : d < -128 ? -128 : d;
    out |= (d & 255) << i;
  }
  return out;
}

namespace std {
using ::sin;
using ::cos;
using ::tan;
using ::asin;
using ::acos;
using ::atan;
using ::sinh;
using ::cosh;
using ::tanh;
using ::asinh;
using ::acosh;
using ::atanh;
using ::exp;
using ::exp2;
using ::expm1;
using ::log;
using ::log2;
using ::log10;
using ::log1p;
using ::sqrt;
using ::cbrt;
using ::ceil;
using ::floor;
using ::trunc;
using ::round;
using ::rint;
using ::nearbyint;
using ::fabs;
using ::erf;
using ::erfc;
using ::tgamma;
using ::lgamma;
using ::logb;
using ::pow;
using ::atan2;
using ::fmod;
using ::remainder;
using ::hypot;
using ::fdim;
using ::copysign;
using ::nextafter;
using ::fmax;
using ::fmin;
using ::fma;
using ::abs;
using ::ldexp;
using ::isfinite;
using ::isinf;
using ::isnan;
using ::signbit;
}  // namespace std
