// float4, int2 and their like, and how to make one.
//
// Owns: the vector types with CUDA's alignments (a float4 load is one 16-byte access and must be
// aligned so), make_*. CUDA defines no arithmetic on them, and neither does this file.
#pragma once
#include "qualifiers.h"

// clang takes a copy of a struct apart into its members and forgets those that are not used; then
// no load of 16 bytes is left to be seen. Where loads are watched, copying goes through a vector of
// its own that stays whole; what may be written of these types stays as it is.
#if defined(__clang__) && defined(CUDASIM_CHECKED)
#define CUDASIM_WHOLE __attribute__((always_inline, nodebug, no_sanitize("alignment")))
#define CUDASIM_COPIED(type, self, n, align)                                                 \
  typedef type whole __attribute__((vector_size(n * sizeof(type)), aligned(align)));         \
  self() = default;                                                                          \
  CUDASIM_WHOLE self(const self &from) {                                                     \
    *(whole *)this = *(const volatile whole *)&from;                                         \
  }                                                                                          \
  CUDASIM_WHOLE self &operator=(const self &from) {                                          \
    whole all = *(const volatile whole *)&from;                                              \
    *(volatile whole *)this = all;                                                           \
    return *this;                                                                            \
  }
#define CUDASIM_COPIED2(type, self, align)                                                   \
  CUDASIM_COPIED(type, self, 2, align)                                                       \
  CUDASIM_WHOLE explicit constexpr self(type x) : x(x), y() {}                               \
  CUDASIM_WHOLE constexpr self(type x, type y) : x(x), y(y) {}
#define CUDASIM_COPIED4(type, self, align)                                                   \
  CUDASIM_COPIED(type, self, 4, align)                                                       \
  CUDASIM_WHOLE explicit constexpr self(type x) : x(x), y(), z(), w() {}                     \
  CUDASIM_WHOLE constexpr self(type x, type y, type z = {}, type w = {})                     \
      : x(x), y(y), z(z), w(w) {}
#else
#define CUDASIM_COPIED2(type, self, align)
#define CUDASIM_COPIED4(type, self, align)
#endif

#define CUDASIM_VECTORS(type, name, a1, a2, a4)                                              \
  struct __align__(a1) name##1 {                                                             \
    type x;                                                                                  \
  };                                                                                         \
  struct __align__(a2) name##2 {                                                             \
    type x, y;                                                                               \
    CUDASIM_COPIED2(type, name##2, a2)                                                       \
  };                                                                                         \
  struct __align__(a4) name##4 {                                                             \
    type x, y, z, w;                                                                         \
    CUDASIM_COPIED4(type, name##4, a4)                                                       \
  };                                                                                         \
  CUDASIM_INLINE constexpr name##1 make_##name##1(type x) { return name##1{x}; }             \
  CUDASIM_INLINE constexpr name##2 make_##name##2(type x, type y) { return name##2{x, y}; }  \
  CUDASIM_INLINE constexpr name##3 make_##name##3(type x, type y, type z) {                  \
    return name##3{x, y, z};                                                                 \
  }                                                                                          \
  CUDASIM_INLINE constexpr name##4 make_##name##4(type x, type y, type z, type w) {          \
    return name##4{x, y, z, w};                                                              \
  }
#define CUDASIM_VECTOR3(type, name) \
  struct name##3 {                  \
    type x, y, z;                   \
  };

CUDASIM_VECTOR3(signed char, char)
CUDASIM_VECTORS(signed char, char, 1, 2, 4)
CUDASIM_VECTOR3(unsigned char, uchar)
CUDASIM_VECTORS(unsigned char, uchar, 1, 2, 4)
CUDASIM_VECTOR3(short, short)
CUDASIM_VECTORS(short, short, 2, 4, 8)
CUDASIM_VECTOR3(unsigned short, ushort)
CUDASIM_VECTORS(unsigned short, ushort, 2, 4, 8)
CUDASIM_VECTOR3(int, int)
CUDASIM_VECTORS(int, int, 4, 8, 16)
CUDASIM_VECTORS(unsigned int, uint, 4, 8, 16)
CUDASIM_VECTOR3(long, long)
CUDASIM_VECTORS(long, long, 8, 16, 16)
CUDASIM_VECTOR3(unsigned long, ulong)
CUDASIM_VECTORS(unsigned long, ulong, 8, 16, 16)
CUDASIM_VECTOR3(long long, longlong)
CUDASIM_VECTORS(long long, longlong, 8, 16, 16)
CUDASIM_VECTOR3(unsigned long long, ulonglong)
CUDASIM_VECTORS(unsigned long long, ulonglong, 8, 16, 16)
CUDASIM_VECTOR3(float, float)
CUDASIM_VECTORS(float, float, 4, 8, 16)
CUDASIM_VECTOR3(double, double)
CUDASIM_VECTORS(double, double, 8, 16, 16)
#undef CUDASIM_COPIED2
#undef CUDASIM_COPIED4
#undef CUDASIM_VECTORS
#undef CUDASIM_VECTOR3
