// Reads and writes that CUDA names: atomics, cached loads, streaming stores.
//
// Owns: atomic* in block, device and system scope, __ldg and its like. Blocks run on several
// threads of the operating system, so the atomics are real ones. Under the sanitizer each tells the
// runtime first; not inlined there, so that the address it returns to is the student's line.
#pragma once
#include "math.h"

extern "C" void cudasim_note_atomic(const void *p, size_t n_bytes, const void *pc) CUDASIM_HIDDEN;
#if CUDASIM_CHECKED
#define CUDASIM_ATOMIC static __attribute__((noinline, unused)) CUDASIM_PLAIN
#define CUDASIM_NOTE(p) cudasim_note_atomic((const void *)p, sizeof(*p), __builtin_return_address(0))
#else
#define CUDASIM_ATOMIC static inline __attribute__((unused))
#define CUDASIM_NOTE(p) ((void)0)
#endif

// Turns *p into f(*p) and returns what it was; by bit pattern, so that floats need no float atomics.
template <class Bits, class T, class F>
CUDASIM_INLINE CUDASIM_PLAIN T cudasim_exchange(T *p, F f) {
  Bits *at = (Bits *)(void *)p;
#if CUDASIM_CHECKED  // one thread of the system runs all blocks, and clang would watch an atomic
  Bits was = *at;
  *at = cudasim_bits<Bits>(f(cudasim_bits<T>(was)));
#else
  Bits was = __atomic_load_n(at, __ATOMIC_RELAXED);
  Bits next;
  do {
    next = cudasim_bits<Bits>(f(cudasim_bits<T>(was)));
  } while (!__atomic_compare_exchange_n(at, &was, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
#endif
  return cudasim_bits<T>(was);
}

#define CUDASIM_ATOMIC_FUNCTION(name, type, bits, expression)                             \
  CUDASIM_ATOMIC type name(type *p, type v) {                                             \
    CUDASIM_NOTE(p);                                                                      \
    return cudasim_exchange<bits>(p, [v](type a) CUDASIM_PLAIN -> type { return expression; }); \
  }                                                                                       \
  CUDASIM_ATOMIC type name##_block(type *p, type v) {                                     \
    CUDASIM_NOTE(p);                                                                      \
    return cudasim_exchange<bits>(p, [v](type a) CUDASIM_PLAIN -> type { return expression; }); \
  }                                                                                       \
  CUDASIM_ATOMIC type name##_system(type *p, type v) {                                    \
    CUDASIM_NOTE(p);                                                                      \
    return cudasim_exchange<bits>(p, [v](type a) CUDASIM_PLAIN -> type { return expression; }); \
  }
#define CUDASIM_ATOMIC_INTEGERS(name, expression)                                      \
  CUDASIM_ATOMIC_FUNCTION(name, int, unsigned int, expression)                         \
  CUDASIM_ATOMIC_FUNCTION(name, unsigned int, unsigned int, expression)                \
  CUDASIM_ATOMIC_FUNCTION(name, unsigned long long, unsigned long long, expression)
CUDASIM_ATOMIC_INTEGERS(atomicAdd, a + v)
CUDASIM_ATOMIC_FUNCTION(atomicAdd, float, unsigned int, a + v)
CUDASIM_ATOMIC_FUNCTION(atomicAdd, double, unsigned long long, a + v)
CUDASIM_ATOMIC_FUNCTION(atomicSub, int, unsigned int, a - v)
CUDASIM_ATOMIC_FUNCTION(atomicSub, unsigned int, unsigned int, a - v)
CUDASIM_ATOMIC_INTEGERS(atomicExch, v)
CUDASIM_ATOMIC_FUNCTION(atomicExch, float, unsigned int, v)
CUDASIM_ATOMIC_INTEGERS(atomicMin, v < a ? v : a)
CUDASIM_ATOMIC_FUNCTION(atomicMin, long long, unsigned long long, v < a ? v : a)
CUDASIM_ATOMIC_INTEGERS(atomicMax, a < v ? v : a)
CUDASIM_ATOMIC_FUNCTION(atomicMax, long long, unsigned long long, a < v ? v : a)
CUDASIM_ATOMIC_INTEGERS(atomicAnd, a & v)
CUDASIM_ATOMIC_INTEGERS(atomicOr, a | v)
CUDASIM_ATOMIC_INTEGERS(atomicXor, a ^ v)
CUDASIM_ATOMIC_FUNCTION(atomicInc, unsigned int, unsigned int, a >= v ? 0u : a + 1u)
CUDASIM_ATOMIC_FUNCTION(atomicDec, unsigned int, unsigned int, a == 0u || a > v ? v : a - 1u)

template <class T>
CUDASIM_INLINE CUDASIM_PLAIN T cudasim_swap(T *p, T expected, T v) {
#if CUDASIM_CHECKED
  T was = *p;
  if (was == expected) *p = v;
  return was;
#else
  __atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
#endif
}
#define CUDASIM_COMPARE_AND_SWAP(name, type)                                                \
  CUDASIM_ATOMIC type name(type *p, type expected, type v) {                                \
    CUDASIM_NOTE(p);                                                                        \
    return cudasim_swap(p, expected, v);                                                    \
  }
CUDASIM_COMPARE_AND_SWAP(atomicCAS, int)
CUDASIM_COMPARE_AND_SWAP(atomicCAS, unsigned int)
CUDASIM_COMPARE_AND_SWAP(atomicCAS, unsigned long long)
CUDASIM_COMPARE_AND_SWAP(atomicCAS, unsigned short)
CUDASIM_COMPARE_AND_SWAP(atomicCAS_block, int)
CUDASIM_COMPARE_AND_SWAP(atomicCAS_block, unsigned int)
CUDASIM_COMPARE_AND_SWAP(atomicCAS_block, unsigned long long)
#undef CUDASIM_COMPARE_AND_SWAP

// Hints to caches that this machine does not have: plain loads and stores. As macros, so that the
// access is on the student's line.
#define __ldg(p) (*(p))
#define __ldcs(p) (*(p))
#define __ldcg(p) (*(p))
#define __ldca(p) (*(p))
#define __ldlu(p) (*(p))
#define __ldcv(p) (*(p))
#define __stcs(p, v) ((void)(*(p) = (v)))
#define __stcg(p, v) ((void)(*(p) = (v)))
#define __stwb(p, v) ((void)(*(p) = (v)))
#define __stwt(p, v) ((void)(*(p) = (v)))
#define __isShared(p) cudasim_is_shared((const void *)(p))
#define __cvta_generic_to_shared(p) ((size_t)(p))
