// What orders threads and moves values between them: barriers, shuffles, votes.
//
// Owns: __syncthreads and its like, the *_sync operations of a warp, fences. Each is one call into
// the runtime, which parks the thread until those it waits for have come. Values go as 8 bytes.
#pragma once
#include "traits.h"

// The numbers are the runtime's (runtime/scheduler.h).
enum CudasimOp {
  CUDASIM_SYNCWARP,
  CUDASIM_SHFL,
  CUDASIM_SHFL_UP,
  CUDASIM_SHFL_DOWN,
  CUDASIM_SHFL_XOR,
  CUDASIM_BALLOT,
  CUDASIM_ANY,
  CUDASIM_ALL,
  CUDASIM_ADD,
  CUDASIM_MIN,
  CUDASIM_MAX,
  CUDASIM_UMIN,
  CUDASIM_UMAX,
  CUDASIM_AND,
  CUDASIM_OR,
  CUDASIM_XOR,
  CUDASIM_MATCH_ANY,
  CUDASIM_MATCH_ALL,
  CUDASIM_ACTIVE
};

extern "C" {
void cudasim_barrier() CUDASIM_HIDDEN CUDASIM_APART;
int cudasim_barrier_reduce(int op, int predicate) CUDASIM_HIDDEN CUDASIM_APART;
unsigned long long cudasim_warp(int op, unsigned int mask, unsigned long long value, int arg,
                                int width) CUDASIM_HIDDEN CUDASIM_APART;
void cudasim_fence() CUDASIM_HIDDEN;
void cudasim_grid_barrier() CUDASIM_HIDDEN;
unsigned int cudasim_lane() CUDASIM_HIDDEN;
long long cudasim_clock() CUDASIM_HIDDEN;
}

#define __syncthreads() cudasim_barrier()
#define __syncthreads_count(predicate) cudasim_barrier_reduce(0, (predicate) != 0)
#define __syncthreads_and(predicate) cudasim_barrier_reduce(1, (predicate) != 0)
#define __syncthreads_or(predicate) cudasim_barrier_reduce(2, (predicate) != 0)
CUDASIM_INLINE void __syncwarp(unsigned int mask = 0xffffffffu) {
  cudasim_warp(CUDASIM_SYNCWARP, mask, 0, 0, 32);
}
CUDASIM_INLINE void __threadfence() { cudasim_fence(); }
CUDASIM_INLINE void __threadfence_block() { __asm__ volatile("" ::: "memory"); }
CUDASIM_INLINE void __threadfence_system() { cudasim_fence(); }
CUDASIM_INLINE void __nanosleep(unsigned int) { cudasim_fence(); }
CUDASIM_INLINE long long clock64() { return cudasim_clock(); }
CUDASIM_INLINE long clock() { return long(cudasim_clock()); }

template <class T>
CUDASIM_INLINE unsigned long long cudasim_pack(T v) {
  static_assert(sizeof(T) <= 8, "a shuffle moves 4 or 8 bytes");
  unsigned long long out = 0;
  __builtin_memcpy(&out, &v, sizeof(v));
  return out;
}
template <class T>
CUDASIM_INLINE T cudasim_unpack(unsigned long long v) {
  T out;
  __builtin_memcpy(&out, &v, sizeof(out));
  return out;
}

// As a template a shuffle of a float returns a float and of an int an int, as CUDA's overloads do.
template <class T>
CUDASIM_INLINE T __shfl_sync(unsigned int mask, T v, int lane, int width = 32) {
  return cudasim_unpack<T>(cudasim_warp(CUDASIM_SHFL, mask, cudasim_pack(v), lane, width));
}
template <class T>
CUDASIM_INLINE T __shfl_up_sync(unsigned int mask, T v, unsigned int delta, int width = 32) {
  return cudasim_unpack<T>(
      cudasim_warp(CUDASIM_SHFL_UP, mask, cudasim_pack(v), int(delta), width));
}
template <class T>
CUDASIM_INLINE T __shfl_down_sync(unsigned int mask, T v, unsigned int delta, int width = 32) {
  return cudasim_unpack<T>(
      cudasim_warp(CUDASIM_SHFL_DOWN, mask, cudasim_pack(v), int(delta), width));
}
template <class T>
CUDASIM_INLINE T __shfl_xor_sync(unsigned int mask, T v, int lanes, int width = 32) {
  return cudasim_unpack<T>(cudasim_warp(CUDASIM_SHFL_XOR, mask, cudasim_pack(v), lanes, width));
}
CUDASIM_INLINE unsigned int __ballot_sync(unsigned int mask, int predicate) {
  return (unsigned int)cudasim_warp(CUDASIM_BALLOT, mask, predicate != 0, 0, 32);
}
CUDASIM_INLINE int __any_sync(unsigned int mask, int predicate) {
  return int(cudasim_warp(CUDASIM_ANY, mask, predicate != 0, 0, 32));
}
CUDASIM_INLINE int __all_sync(unsigned int mask, int predicate) {
  return int(cudasim_warp(CUDASIM_ALL, mask, predicate != 0, 0, 32));
}
CUDASIM_INLINE unsigned int __activemask() {
  return (unsigned int)cudasim_warp(CUDASIM_ACTIVE, 0, 0, 0, 32);
}
template <class T>
CUDASIM_INLINE unsigned int __match_any_sync(unsigned int mask, T v) {
  return (unsigned int)cudasim_warp(CUDASIM_MATCH_ANY, mask, cudasim_pack(v), 0, 32);
}
template <class T>
CUDASIM_INLINE unsigned int __match_all_sync(unsigned int mask, T v, int *predicate) {
  unsigned int all = (unsigned int)cudasim_warp(CUDASIM_MATCH_ALL, mask, cudasim_pack(v), 0, 32);
  *predicate = all != 0;
  return all;
}
#define CUDASIM_REDUCE(name, type, op)                                         \
  CUDASIM_INLINE type name(unsigned int mask, type v) {                        \
    return (type)cudasim_warp(op, mask, (unsigned long long)(long long)v, 0, 32); \
  }
CUDASIM_REDUCE(__reduce_add_sync, int, CUDASIM_ADD)
CUDASIM_REDUCE(__reduce_add_sync, unsigned int, CUDASIM_ADD)
CUDASIM_REDUCE(__reduce_min_sync, int, CUDASIM_MIN)
CUDASIM_REDUCE(__reduce_min_sync, unsigned int, CUDASIM_UMIN)
CUDASIM_REDUCE(__reduce_max_sync, int, CUDASIM_MAX)
CUDASIM_REDUCE(__reduce_max_sync, unsigned int, CUDASIM_UMAX)
CUDASIM_REDUCE(__reduce_and_sync, unsigned int, CUDASIM_AND)
CUDASIM_REDUCE(__reduce_or_sync, unsigned int, CUDASIM_OR)
CUDASIM_REDUCE(__reduce_xor_sync, unsigned int, CUDASIM_XOR)
#undef CUDASIM_REDUCE
