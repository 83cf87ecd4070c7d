// How Python calls a kernel: a table of its parameters, and one function that unpacks them.
//
// Owns: CudasimKernel, CudasimVariable and the macros that translation.py puts into a source, one row
// a kernel. cudasim/library.py reads them; the layouts must agree.
#pragma once
#include "vectors.h"

struct CudasimParam {
  char kind;       // p pointer, f float, i signed, u unsigned, b bool, s anything else
  char element;    // of a pointer: the same letters, v for void
  char is_const;   // the pointed-to may only be read
  unsigned size;   // bytes of the parameter itself
  unsigned element_size;    // bytes of what it points to
  unsigned component_size;  // of a vector type: bytes of one component
};
struct CudasimKernel {
  const char *name;
  void (*call)(void **arguments);
  const CudasimParam *params;
  int n_params;
  int max_threads;
};
struct CudasimVariable {
  const char *name;
  void *address;
  size_t n_bytes;
  int element_size;
  int n_dims;
  unsigned dims[4];
  char space;  // d __device__, c __constant__, s __shared__ at file scope
};

// letter and component size of a type
template <class T>
struct CudasimType {
  static constexpr char letter = std::is_floating_point_v<T> ? 'f'
                                 : !std::is_integral_v<T>    ? 's'
                                 : std::is_same_v<T, bool>   ? 'b'
                                 : std::is_signed_v<T>       ? 'i'
                                                             : 'u';
  static constexpr unsigned size = sizeof(T);
  static constexpr unsigned component = sizeof(T);
};
template <>
struct CudasimType<void> {
  static constexpr char letter = 'v';
  static constexpr unsigned size = 1;
  static constexpr unsigned component = 1;
};
#define CUDASIM_LETTER(type, l, bytes)                 \
  template <>                                          \
  struct CudasimType<type> {                           \
    static constexpr char letter = l;                  \
    static constexpr unsigned size = sizeof(type);     \
    static constexpr unsigned component = bytes;       \
  };
#define CUDASIM_LETTERS(name, l, bytes) \
  CUDASIM_LETTER(name##1, l, bytes)     \
  CUDASIM_LETTER(name##2, l, bytes)     \
  CUDASIM_LETTER(name##3, l, bytes)     \
  CUDASIM_LETTER(name##4, l, bytes)
CUDASIM_LETTERS(char, 'i', 1)
CUDASIM_LETTERS(uchar, 'u', 1)
CUDASIM_LETTERS(short, 'i', 2)
CUDASIM_LETTERS(ushort, 'u', 2)
CUDASIM_LETTERS(int, 'i', 4)
CUDASIM_LETTERS(uint, 'u', 4)
CUDASIM_LETTERS(longlong, 'i', 8)
CUDASIM_LETTERS(ulonglong, 'u', 8)
CUDASIM_LETTERS(float, 'f', 4)
CUDASIM_LETTERS(double, 'f', 8)
#undef CUDASIM_LETTERS

template <class T>
struct CudasimParamOf {
  static constexpr CudasimParam value{CudasimType<std::remove_cv_t<T>>::letter, 0, 0, sizeof(T), 0,
                                      0};
};
template <class T>
struct CudasimParamOf<T *> {
  typedef CudasimType<std::remove_cv_t<T>> type;
  static constexpr CudasimParam value{'p',       type::letter, std::is_const<T>::value,
                                      sizeof(T *), type::size,   type::component};
};

template <int... I>
struct CudasimIndices {};
template <int N, int... I>
struct CudasimCount : CudasimCount<N - 1, N - 1, I...> {};
template <int... I>
struct CudasimCount<0, I...> {
  typedef CudasimIndices<I...> type;
};

template <class F>
struct CudasimEntry;
template <class... A>
struct CudasimEntry<void (*)(A...)> {
  static constexpr int n_params = sizeof...(A);
  static constexpr CudasimParam params[sizeof...(A) + 1] = {CudasimParamOf<A>::value..., {}};
  template <void (*K)(A...), int... I>
  CUDASIM_PLAIN static inline void spread(void **arguments, CudasimIndices<I...>) {
    K(*(std::remove_reference_t<A> *)arguments[I]...);
  }
  template <void (*K)(A...)>
  CUDASIM_PLAIN static void call(void **arguments) {
    spread<K>(arguments, typename CudasimCount<sizeof...(A)>::type());
  }
};

template <class T>
struct CudasimShape {
  static constexpr int n_dims = 0;
  static constexpr unsigned element = sizeof(T);
  static constexpr unsigned dims[5] = {1, 1, 1, 1, 1};
};
template <class T, size_t N>
struct CudasimShape<T[N]> {
  typedef CudasimShape<T> inner;
  static constexpr int n_dims = inner::n_dims + 1;
  static constexpr unsigned element = inner::element;
  static constexpr unsigned dims[5] = {unsigned(N), inner::dims[0], inner::dims[1], inner::dims[2],
                                       inner::dims[3]};
};

#define CUDASIM_ROW(number, text, max_threads, ...)                                      \
  extern "C" __attribute__((visibility("default"))) const CudasimKernel                  \
      cudasim_kernel_##number = {                                                        \
          text, CudasimEntry<decltype(&__VA_ARGS__)>::template call<&__VA_ARGS__>,       \
          CudasimEntry<decltype(&__VA_ARGS__)>::params,                                  \
          CudasimEntry<decltype(&__VA_ARGS__)>::n_params, max_threads};
#define CUDASIM_VARIABLE(space, text, name)                                            \
  {text, (void *)&name, sizeof(name), int(CudasimShape<decltype(name)>::element),      \
   CudasimShape<decltype(name)>::n_dims,                                               \
   {CudasimShape<decltype(name)>::dims[0], CudasimShape<decltype(name)>::dims[1],      \
    CudasimShape<decltype(name)>::dims[2], CudasimShape<decltype(name)>::dims[3]},     \
   space}

#if CUDASIM_CHECKED
extern "C" void cudasim_note_shared(const char *name, const void *p, size_t n_bytes,
                                    unsigned element, int n_dims, const unsigned *dims)
    CUDASIM_HIDDEN;
extern "C" void cudasim_note_dynamic(const char *name, unsigned element) CUDASIM_HIDDEN;
// Tells the sanitizer of a __shared__ variable when its declaration is passed.
template <class T>
CUDASIM_PLAIN static __attribute__((noinline)) void cudasim_shared(const char *name, T &v) {
  cudasim_note_shared(name, (const void *)&v, sizeof(T), CudasimShape<T>::element,
                      CudasimShape<T>::n_dims, CudasimShape<T>::dims);
}
#endif
