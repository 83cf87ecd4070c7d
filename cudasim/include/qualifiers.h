// What CUDA adds to the words of C++: qualifiers, and the names a launch is described with.
//
// Owns: __global__ and its like, threadIdx and its like, printf, assert.
// A kernel is an ordinary function here. __shared__ becomes `static`: one block at a time runs in a
// copy of the compiled library, so a static variable is what the threads of that block share.
#pragma once

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef unsigned int uint;
typedef unsigned short ushort;
typedef unsigned char uchar;

#define __CUDACC__ 1
#define __CUDA_ARCH__ 800
#define __CUDACC_RTC__ 1
#define __CUDASIM__ 1
#define __host__
#define __device__
#define __global__
#define __managed__
#define __constant__
#define __grid_constant__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __inline_hint__
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __maxnreg__(...)
#define __nv_pure__
#ifdef __clang__
#define __restrict__ __restrict
#endif

#define CUDASIM_HIDDEN __attribute__((visibility("hidden")))
#define CUDASIM_INLINE static inline __attribute__((always_inline, unused))
#define CUDASIM_INLINE_MEMBER inline __attribute__((always_inline))
#ifdef __clang__
#define CUDASIM_APART __attribute__((nomerge))  // each call stays a place of its own
#else
#define CUDASIM_APART
#endif
#ifdef __clang__
#define CUDASIM_PLAIN __attribute__((no_sanitize("thread", "undefined", "coverage")))
#else
#define CUDASIM_PLAIN \
  __attribute__((no_sanitize_thread, no_sanitize_undefined, no_sanitize_coverage))
#endif

struct uint3 {
  unsigned int x, y, z;
};
struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1)
      : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return uint3{x, y, z}; }
};

// The runtime sets these before a thread goes on; to a thread they never change, hence const.
extern "C" {
extern const uint3 threadIdx CUDASIM_HIDDEN;
extern const uint3 blockIdx CUDASIM_HIDDEN;
extern const dim3 blockDim CUDASIM_HIDDEN;
extern const dim3 gridDim CUDASIM_HIDDEN;
extern char cudasim_memory[] CUDASIM_HIDDEN;  // dynamic shared memory, room on both sides

int cudasim_print(const char *format, __builtin_va_list list) CUDASIM_HIDDEN;
void cudasim_fail(const char *what, const char *file, int line, const char *function)
    CUDASIM_HIDDEN __attribute__((noreturn));
void *cudasim_heap(size_t n_bytes) CUDASIM_HIDDEN;
void cudasim_unheap(void *p) CUDASIM_HIDDEN;
void *memcpy(void *to, const void *from, size_t n_bytes);
void *memmove(void *to, const void *from, size_t n_bytes);
void *memset(void *to, int value, size_t n_bytes);
int memcmp(const void *a, const void *b, size_t n_bytes);
}
#define cudasim_dynamic (cudasim_memory + 4096)
constexpr int warpSize = 32;

__attribute__((format(printf, 1, 2))) CUDASIM_PLAIN static inline int printf(const char *format,
                                                                            ...) {
  __builtin_va_list list;
  __builtin_va_start(list, format);
  int n = cudasim_print(format, list);
  __builtin_va_end(list);
  return n;
}
CUDASIM_INLINE void *malloc(size_t n_bytes) { return cudasim_heap(n_bytes); }
CUDASIM_INLINE void free(void *p) { cudasim_unheap(p); }
CUDASIM_INLINE void __trap() { cudasim_fail("__trap()", "", 0, ""); }

#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) \
  ((condition) ? (void)0 : cudasim_fail(#condition, __FILE__, __LINE__, __func__))
#endif
