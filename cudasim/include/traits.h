// The few templates of <type_traits>, <limits> and <utility> that kernels use.
//
// Owns: namespace std as far as device code needs it; cuda::std is the same. The system's headers
// are not used: they bring the whole host library with them and cost most of a compilation.
#pragma once
#include "qualifiers.h"

namespace std {
using ::ptrdiff_t;
using ::size_t;

template <class T, T V>
struct integral_constant {
  static constexpr T value = V;
  typedef T value_type;
  constexpr operator T() const { return V; }
};
typedef integral_constant<bool, true> true_type;
typedef integral_constant<bool, false> false_type;
template <class A, class B>
struct is_same : false_type {};
template <class A>
struct is_same<A, A> : true_type {};
template <class A, class B>
inline constexpr bool is_same_v = is_same<A, B>::value;
template <class T>
struct remove_const {
  typedef T type;
};
template <class T>
struct remove_const<const T> {
  typedef T type;
};
template <class T>
struct remove_cv {
  typedef T type;
};
template <class T>
struct remove_cv<const T> : remove_cv<T> {};
template <class T>
struct remove_cv<volatile T> : remove_cv<T> {};
template <class T>
struct remove_cv<const volatile T> : remove_cv<T> {};
template <class T>
using remove_cv_t = typename remove_cv<T>::type;
template <class T>
struct remove_reference {
  typedef T type;
};
template <class T>
struct remove_reference<T &> {
  typedef T type;
};
template <class T>
struct remove_reference<T &&> {
  typedef T type;
};
template <class T>
using remove_reference_t = typename remove_reference<T>::type;
template <class T>
using decay_t = remove_cv_t<remove_reference_t<T>>;
template <bool B, class T, class F>
struct conditional {
  typedef T type;
};
template <class T, class F>
struct conditional<false, T, F> {
  typedef F type;
};
template <bool B, class T, class F>
using conditional_t = typename conditional<B, T, F>::type;
template <bool B, class T = void>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
  typedef T type;
};
template <bool B, class T = void>
using enable_if_t = typename enable_if<B, T>::type;
template <class T>
struct is_pointer : false_type {};
template <class T>
struct is_pointer<T *> : true_type {};
template <class T>
struct is_const : false_type {};
template <class T>
struct is_const<const T> : true_type {};

#define CUDASIM_IS(trait, type) \
  template <>                   \
  struct trait<type> : true_type {};
template <class T>
struct is_floating_point : false_type {};
CUDASIM_IS(is_floating_point, float)
CUDASIM_IS(is_floating_point, double)
template <class T>
struct is_integral : false_type {};
CUDASIM_IS(is_integral, bool)
CUDASIM_IS(is_integral, char)
CUDASIM_IS(is_integral, signed char)
CUDASIM_IS(is_integral, unsigned char)
CUDASIM_IS(is_integral, short)
CUDASIM_IS(is_integral, unsigned short)
CUDASIM_IS(is_integral, int)
CUDASIM_IS(is_integral, unsigned int)
CUDASIM_IS(is_integral, long)
CUDASIM_IS(is_integral, unsigned long)
CUDASIM_IS(is_integral, long long)
CUDASIM_IS(is_integral, unsigned long long)
#undef CUDASIM_IS
template <class T>
inline constexpr bool is_floating_point_v = is_floating_point<T>::value;
template <class T>
inline constexpr bool is_integral_v = is_integral<T>::value;
template <class T>
struct is_arithmetic : integral_constant<bool, is_integral_v<T> || is_floating_point_v<T>> {};
template <class T>
inline constexpr bool is_arithmetic_v = is_arithmetic<T>::value;
template <class T, bool = is_arithmetic_v<T>>
struct is_signed : false_type {};
template <class T>
struct is_signed<T, true> : integral_constant<bool, (T(-1) < T(0))> {};
template <class T>
inline constexpr bool is_signed_v = is_signed<T>::value;
template <class T>
struct is_unsigned : integral_constant<bool, !(T(-1) < T(0))> {};
template <class T>
inline constexpr bool is_trivially_copyable_v = __is_trivially_copyable(T);

template <class T>
T &&declval() noexcept;
template <class T>
constexpr remove_reference_t<T> &&move(T &&v) noexcept {
  return static_cast<remove_reference_t<T> &&>(v);
}
template <class T>
constexpr T &&forward(remove_reference_t<T> &v) noexcept {
  return static_cast<T &&>(v);
}
template <class T>
constexpr void swap(T &a, T &b) {
  T t = a;
  a = b;
  b = t;
}
template <class T>
constexpr T max(T a, T b) {
  return a < b ? b : a;
}
template <class T>
constexpr T min(T a, T b) {
  return b < a ? b : a;
}

template <class T>
struct numeric_limits;
#define CUDASIM_INTEGER_LIMITS(type, low, high)           \
  template <>                                             \
  struct numeric_limits<type> {                           \
    static constexpr type max() { return high; }          \
    static constexpr type min() { return low; }           \
    static constexpr type lowest() { return low; }        \
    static constexpr bool is_integer = true;              \
  };
CUDASIM_INTEGER_LIMITS(char, char(-128), char(127))
CUDASIM_INTEGER_LIMITS(signed char, -128, 127)
CUDASIM_INTEGER_LIMITS(unsigned char, 0, 255)
CUDASIM_INTEGER_LIMITS(short, -32768, 32767)
CUDASIM_INTEGER_LIMITS(unsigned short, 0, 65535)
CUDASIM_INTEGER_LIMITS(int, -__INT_MAX__ - 1, __INT_MAX__)
CUDASIM_INTEGER_LIMITS(unsigned int, 0, ~0u)
CUDASIM_INTEGER_LIMITS(long, -__LONG_MAX__ - 1, __LONG_MAX__)
CUDASIM_INTEGER_LIMITS(unsigned long, 0, ~0ul)
CUDASIM_INTEGER_LIMITS(long long, -__LONG_LONG_MAX__ - 1, __LONG_LONG_MAX__)
CUDASIM_INTEGER_LIMITS(unsigned long long, 0, ~0ull)
#undef CUDASIM_INTEGER_LIMITS
#define CUDASIM_FLOAT_LIMITS(type, P, inf, nan)               \
  template <>                                                 \
  struct numeric_limits<type> {                               \
    static constexpr type max() { return P##MAX__; }          \
    static constexpr type min() { return P##MIN__; }          \
    static constexpr type lowest() { return -P##MAX__; }      \
    static constexpr type epsilon() { return P##EPSILON__; }  \
    static constexpr type infinity() { return inf; }          \
    static constexpr type quiet_NaN() { return nan; }         \
    static constexpr bool is_integer = false;                 \
  };
CUDASIM_FLOAT_LIMITS(float, __FLT_, __builtin_inff(), __builtin_nanf(""))
CUDASIM_FLOAT_LIMITS(double, __DBL_, __builtin_inf(), __builtin_nan(""))
#undef CUDASIM_FLOAT_LIMITS
}  // namespace std

namespace cuda {
namespace std = ::std;
}
