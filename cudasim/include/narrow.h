// A 16-bit float and a pair of them, with their operators and functions. half.h includes this once
// for each format, after it has said what the format is called and how it is rounded:
//
//   CUDASIM_NARROW CUDASIM_NARROW2 CUDASIM_WORD CUDASIM_LETTER          __half, __half2, half, 'h'
//   CUDASIM_FROM_FLOAT CUDASIM_FROM_DOUBLE CUDASIM_TO_FLOAT     between the bits and a float
//
// No #pragma once: it is meant to be read twice.
#define CUDASIM_NAMED_(a, word, b) a##word##b
#define CUDASIM_NAMED__(a, word, b) CUDASIM_NAMED_(a, word, b)
#define CUDASIM_NAMED(a, b) CUDASIM_NAMED__(a, CUDASIM_WORD, b)
#define CUDASIM_NAMED2_(a, word, b, c) a##word##b##word##c
#define CUDASIM_NAMED2__(a, word, b, c) CUDASIM_NAMED2_(a, word, b, c)
#define CUDASIM_NAMED2(a, b, c) CUDASIM_NAMED2__(a, CUDASIM_WORD, b, c)

struct CUDASIM_NARROW {
  unsigned short bits;
  CUDASIM_NARROW() = default;
  constexpr CUDASIM_NARROW(const CUDASIM_NARROW &) = default;
  constexpr CUDASIM_NARROW &operator=(const CUDASIM_NARROW &) = default;
  CUDASIM_NARROW(float x) : bits(CUDASIM_FROM_FLOAT(x)) {}
  CUDASIM_NARROW(double x) : bits(CUDASIM_FROM_DOUBLE(x)) {}
  CUDASIM_NARROW(int x) : bits(CUDASIM_FROM_DOUBLE(double(x))) {}
  CUDASIM_NARROW(unsigned int x) : bits(CUDASIM_FROM_DOUBLE(double(x))) {}
  CUDASIM_NARROW(long long x) : bits(CUDASIM_FROM_DOUBLE(double(x))) {}
  operator float() const { return CUDASIM_TO_FLOAT(bits); }
  CUDASIM_NARROW &operator=(float x) {
    bits = CUDASIM_FROM_FLOAT(x);
    return *this;
  }
};
struct __align__(4) CUDASIM_NARROW2 {
  CUDASIM_NARROW x, y;
  CUDASIM_NARROW2() = default;
  CUDASIM_NARROW2(CUDASIM_NARROW a, CUDASIM_NARROW b) : x(a), y(b) {}
};
CUDASIM_LETTER_OF(CUDASIM_NARROW, CUDASIM_LETTER, 2)
CUDASIM_LETTER_OF(CUDASIM_NARROW2, CUDASIM_LETTER, 2)
CUDASIM_INLINE CUDASIM_NARROW operator+(CUDASIM_NARROW a, CUDASIM_NARROW b) { return CUDASIM_NARROW(float(a) + float(b)); }
CUDASIM_INLINE CUDASIM_NARROW &operator+=(CUDASIM_NARROW &a, CUDASIM_NARROW b) { return a = a + b; }
CUDASIM_INLINE CUDASIM_NARROW2 operator+(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {a.x + b.x, a.y + b.y}; }
CUDASIM_INLINE CUDASIM_NARROW2 &operator+=(CUDASIM_NARROW2 &a, CUDASIM_NARROW2 b) { return a = a + b; }
CUDASIM_INLINE CUDASIM_NARROW operator-(CUDASIM_NARROW a, CUDASIM_NARROW b) { return CUDASIM_NARROW(float(a) - float(b)); }
CUDASIM_INLINE CUDASIM_NARROW &operator-=(CUDASIM_NARROW &a, CUDASIM_NARROW b) { return a = a - b; }
CUDASIM_INLINE CUDASIM_NARROW2 operator-(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {a.x - b.x, a.y - b.y}; }
CUDASIM_INLINE CUDASIM_NARROW2 &operator-=(CUDASIM_NARROW2 &a, CUDASIM_NARROW2 b) { return a = a - b; }
CUDASIM_INLINE CUDASIM_NARROW operator*(CUDASIM_NARROW a, CUDASIM_NARROW b) { return CUDASIM_NARROW(float(a) * float(b)); }
CUDASIM_INLINE CUDASIM_NARROW &operator*=(CUDASIM_NARROW &a, CUDASIM_NARROW b) { return a = a * b; }
CUDASIM_INLINE CUDASIM_NARROW2 operator*(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {a.x * b.x, a.y * b.y}; }
CUDASIM_INLINE CUDASIM_NARROW2 &operator*=(CUDASIM_NARROW2 &a, CUDASIM_NARROW2 b) { return a = a * b; }
CUDASIM_INLINE CUDASIM_NARROW operator/(CUDASIM_NARROW a, CUDASIM_NARROW b) { return CUDASIM_NARROW(float(a) / float(b)); }
CUDASIM_INLINE CUDASIM_NARROW &operator/=(CUDASIM_NARROW &a, CUDASIM_NARROW b) { return a = a / b; }
CUDASIM_INLINE CUDASIM_NARROW2 operator/(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {a.x / b.x, a.y / b.y}; }
CUDASIM_INLINE CUDASIM_NARROW2 &operator/=(CUDASIM_NARROW2 &a, CUDASIM_NARROW2 b) { return a = a / b; }
CUDASIM_INLINE CUDASIM_NARROW operator-(CUDASIM_NARROW a) { return CUDASIM_NARROW(-float(a)); }
CUDASIM_INLINE bool operator<(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) < float(b); }
CUDASIM_INLINE bool operator>(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) > float(b); }
CUDASIM_INLINE bool operator<=(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) <= float(b); }
CUDASIM_INLINE bool operator>=(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) >= float(b); }
CUDASIM_INLINE bool operator==(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) == float(b); }
CUDASIM_INLINE bool operator!=(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) != float(b); }
CUDASIM_INLINE CUDASIM_NARROW __hadd(CUDASIM_NARROW a, CUDASIM_NARROW b) { return a + b; }
CUDASIM_INLINE CUDASIM_NARROW __hsub(CUDASIM_NARROW a, CUDASIM_NARROW b) { return a - b; }
CUDASIM_INLINE CUDASIM_NARROW __hmul(CUDASIM_NARROW a, CUDASIM_NARROW b) { return a * b; }
CUDASIM_INLINE CUDASIM_NARROW __hdiv(CUDASIM_NARROW a, CUDASIM_NARROW b) { return a / b; }
CUDASIM_INLINE CUDASIM_NARROW __hmax(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(b) > float(a) || float(a) != float(a) ? b : a; }
CUDASIM_INLINE CUDASIM_NARROW __hmin(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(b) < float(a) || float(a) != float(a) ? b : a; }
CUDASIM_INLINE CUDASIM_NARROW2 __hadd2(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {__hadd(a.x, b.x), __hadd(a.y, b.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 __hsub2(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {__hsub(a.x, b.x), __hsub(a.y, b.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 __hmul2(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {__hmul(a.x, b.x), __hmul(a.y, b.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 __h2div(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {__hdiv(a.x, b.x), __hdiv(a.y, b.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 __hmax2(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 __hmin2(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
CUDASIM_INLINE CUDASIM_NARROW __hfma(CUDASIM_NARROW a, CUDASIM_NARROW b, CUDASIM_NARROW c) {
  CUDASIM_NARROW out;
  out.bits = CUDASIM_FROM_DOUBLE(double(float(a)) * double(float(b)) + double(float(c)));
  return out;
}
CUDASIM_INLINE CUDASIM_NARROW2 __hfma2(CUDASIM_NARROW2 a, CUDASIM_NARROW2 b, CUDASIM_NARROW2 c) {
  return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
CUDASIM_INLINE CUDASIM_NARROW __hneg(CUDASIM_NARROW a) { return -a; }
CUDASIM_INLINE CUDASIM_NARROW2 __hneg2(CUDASIM_NARROW2 a) { return {-a.x, -a.y}; }
CUDASIM_INLINE CUDASIM_NARROW __habs(CUDASIM_NARROW a) { return CUDASIM_NARROW(__builtin_fabsf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW2 __habs2(CUDASIM_NARROW2 a) { return {__habs(a.x), __habs(a.y)}; }
CUDASIM_INLINE bool __hisnan(CUDASIM_NARROW a) { return float(a) != float(a); }
CUDASIM_INLINE int __hisinf(CUDASIM_NARROW a) { return __builtin_isinf_sign(float(a)); }
CUDASIM_INLINE bool __heq(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) == float(b); }
CUDASIM_INLINE bool __hne(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) != float(b); }
CUDASIM_INLINE bool __hlt(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) < float(b); }
CUDASIM_INLINE bool __hle(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) <= float(b); }
CUDASIM_INLINE bool __hgt(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) > float(b); }
CUDASIM_INLINE bool __hge(CUDASIM_NARROW a, CUDASIM_NARROW b) { return float(a) >= float(b); }
CUDASIM_INLINE CUDASIM_NARROW hexp(CUDASIM_NARROW a) { return CUDASIM_NARROW(expf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hlog(CUDASIM_NARROW a) { return CUDASIM_NARROW(logf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hsqrt(CUDASIM_NARROW a) { return CUDASIM_NARROW(sqrtf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hrsqrt(CUDASIM_NARROW a) { return CUDASIM_NARROW(rsqrtf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hrcp(CUDASIM_NARROW a) { return CUDASIM_NARROW(1.0f / (float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hsin(CUDASIM_NARROW a) { return CUDASIM_NARROW(sinf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hcos(CUDASIM_NARROW a) { return CUDASIM_NARROW(cosf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW htanh(CUDASIM_NARROW a) { return CUDASIM_NARROW(tanhf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hexp2(CUDASIM_NARROW a) { return CUDASIM_NARROW(exp2f(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hlog2(CUDASIM_NARROW a) { return CUDASIM_NARROW(log2f(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hfloor(CUDASIM_NARROW a) { return CUDASIM_NARROW(floorf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hceil(CUDASIM_NARROW a) { return CUDASIM_NARROW(ceilf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW hrint(CUDASIM_NARROW a) { return CUDASIM_NARROW(rintf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW htrunc(CUDASIM_NARROW a) { return CUDASIM_NARROW(truncf(float(a))); }
CUDASIM_INLINE CUDASIM_NARROW2 h2exp(CUDASIM_NARROW2 a) { return {hexp(a.x), hexp(a.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 h2log(CUDASIM_NARROW2 a) { return {hlog(a.x), hlog(a.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 h2sqrt(CUDASIM_NARROW2 a) { return {hsqrt(a.x), hsqrt(a.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 h2rsqrt(CUDASIM_NARROW2 a) { return {hrsqrt(a.x), hrsqrt(a.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 h2rcp(CUDASIM_NARROW2 a) { return {hrcp(a.x), hrcp(a.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 h2sin(CUDASIM_NARROW2 a) { return {hsin(a.x), hsin(a.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 h2cos(CUDASIM_NARROW2 a) { return {hcos(a.x), hcos(a.y)}; }
CUDASIM_INLINE float CUDASIM_NAMED(__, 2float)(CUDASIM_NARROW a) { return float(a); }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__float2, )(float x) { return CUDASIM_NARROW(x); }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__float2, _rn)(float x) { return CUDASIM_NARROW(x); }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__double2, )(double x) { return CUDASIM_NARROW(x); }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__int2, _rn)(int x) { return CUDASIM_NARROW(x); }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__uint2, _rn)(unsigned int x) { return CUDASIM_NARROW(x); }
CUDASIM_INLINE int CUDASIM_NAMED(__, 2int_rn)(CUDASIM_NARROW a) { return __float2int_rn(float(a)); }
CUDASIM_INLINE int CUDASIM_NAMED(__, 2int_rz)(CUDASIM_NARROW a) { return int(float(a)); }
CUDASIM_INLINE unsigned short CUDASIM_NAMED(__, _as_ushort)(CUDASIM_NARROW a) { return a.bits; }
CUDASIM_INLINE short CUDASIM_NAMED(__, _as_short)(CUDASIM_NARROW a) { return short(a.bits); }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__ushort_as_, )(unsigned short u) { return cudasim_bits<CUDASIM_NARROW>(u); }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__short_as_, )(short u) { return cudasim_bits<CUDASIM_NARROW>(u); }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED2(__, 2, 2)(CUDASIM_NARROW a) { return {a, a}; }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED(__halves2, 2)(CUDASIM_NARROW a, CUDASIM_NARROW b) { return {a, b}; }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED(make_, 2)(CUDASIM_NARROW a, CUDASIM_NARROW b) { return {a, b}; }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__low2, )(CUDASIM_NARROW2 a) { return a.x; }
CUDASIM_INLINE CUDASIM_NARROW CUDASIM_NAMED(__high2, )(CUDASIM_NARROW2 a) { return a.y; }
CUDASIM_INLINE float __low2float(CUDASIM_NARROW2 a) { return float(a.x); }
CUDASIM_INLINE float __high2float(CUDASIM_NARROW2 a) { return float(a.y); }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED(__low2, 2)(CUDASIM_NARROW2 a) { return {a.x, a.x}; }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED(__high2, 2)(CUDASIM_NARROW2 a) { return {a.y, a.y}; }
CUDASIM_INLINE CUDASIM_NARROW2 __lowhigh2highlow(CUDASIM_NARROW2 a) { return {a.y, a.x}; }
CUDASIM_INLINE float2 CUDASIM_NAMED(__, 22float2)(CUDASIM_NARROW2 a) { return float2{float(a.x), float(a.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED(__float22, 2_rn)(float2 v) { return {CUDASIM_NARROW(v.x), CUDASIM_NARROW(v.y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED(__floats2, 2_rn)(float x, float y) { return {CUDASIM_NARROW(x), CUDASIM_NARROW(y)}; }
CUDASIM_INLINE CUDASIM_NARROW2 CUDASIM_NAMED(__float2, 2_rn)(float x) { return {CUDASIM_NARROW(x), CUDASIM_NARROW(x)}; }
CUDASIM_ATOMIC CUDASIM_NARROW atomicAdd(CUDASIM_NARROW *p, CUDASIM_NARROW v) {
  CUDASIM_NOTE(p);
  return cudasim_exchange<unsigned short>(p, [v](CUDASIM_NARROW a) CUDASIM_PLAIN -> CUDASIM_NARROW { return a + v; });
}
CUDASIM_ATOMIC CUDASIM_NARROW2 atomicAdd(CUDASIM_NARROW2 *p, CUDASIM_NARROW2 v) {
  CUDASIM_NOTE(p);
  return cudasim_exchange<unsigned int>(p, [v](CUDASIM_NARROW2 a) CUDASIM_PLAIN -> CUDASIM_NARROW2 { return a + v; });
}

#undef CUDASIM_NAMED
#undef CUDASIM_NAMED_
#undef CUDASIM_NAMED__
#undef CUDASIM_NAMED2
#undef CUDASIM_NAMED2_
#undef CUDASIM_NAMED2__
#undef CUDASIM_NARROW
#undef CUDASIM_NARROW2
#undef CUDASIM_WORD
#undef CUDASIM_LETTER
#undef CUDASIM_FROM_FLOAT
#undef CUDASIM_FROM_DOUBLE
#undef CUDASIM_TO_FLOAT
