// Shuffles, votes, groups, halves, order between blocks.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_fp16.h>
#include <math_constants.h>
namespace cg = cooperative_groups;

// launch grid=1 block=64 f64 o2
extern "C" __global__ void sum_by_shuffles(const float *x, float *y) {
  float v = x[threadIdx.x];
  for (int d = 16; d; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);
  if (threadIdx.x % 32 == 0) y[threadIdx.x / 32] = v;
}

// launch grid=3 block=128 f300 o3 i100
extern "C" __global__ void softmax_sum(const float *x, float *y, int n) {
  __shared__ float part[4];
  float top = -CUDART_INF_F, sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    float v = x[blockIdx.x * n + i];
    float next = fmaxf(top, v);
    sum = sum * __expf(top - next) + __expf(v - next);
    top = next;
  }
  float best = top;
  for (int d = 16; d; d /= 2) best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, d));
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = best;
  __syncthreads();
  best = fmaxf(fmaxf(part[0], part[1]), fmaxf(part[2], part[3]));
  __syncthreads();
  sum *= top == -CUDART_INF_F ? 0.0f : __expf(top - best);
  for (int d = 16; d; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) y[blockIdx.x] = part[0] + part[1] + part[2] + part[3];
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void inclusive_scan(const float *x, float *y) {
  float v = x[threadIdx.x];
  for (int d = 1; d < 32; d *= 2) {
    float left = __shfl_up_sync(0xffffffffu, v, d);
    if (threadIdx.x >= d) v += left;
  }
  y[threadIdx.x] = v;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void groups_of_eight(const float *x, float *y) {
  float v = x[threadIdx.x];
  for (int d = 4; d; d /= 2) v += __shfl_down_sync(0xffffffffu, v, d, 8);
  y[threadIdx.x] = __shfl_sync(0xffffffffu, v, 0, 8);
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void mask_of_a_branch(const float *x, float *y) {
  float v = x[threadIdx.x];
  unsigned int mask = __ballot_sync(0xffffffffu, threadIdx.x % 2);
  if (threadIdx.x % 2) v += __shfl_xor_sync(mask, v, 2);
  else v -= __shfl_xor_sync(~mask, v, 2);
  y[threadIdx.x] = v;
}

// launch grid=1 block=20 f20 o20
extern "C" __global__ void half_a_warp_with_its_mask(const float *x, float *y) {
  unsigned int mask = (1u << 20) - 1;
  y[threadIdx.x] = __shfl_sync(mask, x[threadIdx.x], (threadIdx.x + 1) % 20);
}

// launch grid=1 block=32 f32 o32 i20
extern "C" __global__ void active_lanes(const float *x, float *y, int n) {
  y[threadIdx.x] = 0.0f;
  if (threadIdx.x < n) {
    unsigned int mask = __activemask();
    y[threadIdx.x] = __popc(mask) + __any_sync(mask, x[threadIdx.x] > 0.5f);
  }
}

// launch grid=1 block=64 u64 o64
extern "C" __global__ void reductions_of_integers(const int *x, float *y) {
  int v = x[threadIdx.x];
  int sum = __reduce_add_sync(0xffffffffu, v), least = __reduce_min_sync(0xffffffffu, v);
  unsigned int same = __match_any_sync(0xffffffffu, v % 4);
  y[threadIdx.x] = sum + least + __popc(same);
}

// launch grid=2 block=64 f128 o128
extern "C" __global__ void tiles(const float *x, float *y) {
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<16> tile = cg::tiled_partition<16>(block);
  float v = x[blockIdx.x * 64 + block.thread_rank()];
  float sum = cg::reduce(tile, v, cg::plus<float>());
  float most = cg::reduce(tile, v, cg::greater<float>());
  y[blockIdx.x * 64 + block.thread_rank()] = sum + most + tile.meta_group_rank();
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void group_barriers(const float *x, float *y) {
  __shared__ float s[64];
  cg::thread_block block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  s[threadIdx.x] = x[threadIdx.x];
  warp.sync();
  float v = s[threadIdx.x ^ 1];
  block.sync();
  s[threadIdx.x] = v;
  cg::sync(block);
  y[threadIdx.x] = s[63 - threadIdx.x];
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void exchange_within_a_warp(const float *x, float *y) {
  __shared__ float s[32];
  s[threadIdx.x] = x[threadIdx.x];
  __syncwarp();
  y[threadIdx.x] = s[31 - threadIdx.x];
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void exchange_within_half_a_warp(const float *x, float *y) {
  __shared__ float s[32];
  unsigned int mask = threadIdx.x < 16 ? 0xffffu : 0xffff0000u;
  s[threadIdx.x] = x[threadIdx.x];
  __syncwarp(mask);
  y[threadIdx.x] = s[threadIdx.x ^ 15];
}

// launch grid=1 block=32 f32 e32
extern "C" __global__ void halves(const float *x, half *y) {
  half v = __float2half(x[threadIdx.x]);
  half2 both = __halves2half2(v, __hadd(v, __float2half(1.0f)));
  y[threadIdx.x] = __hmul(__low2half(both), __high2half(both));
}

// launch grid=4 block=64 f256 z1
extern "C" __global__ void one_atomic_a_block(const float *x, float *total) {
  float v = x[blockIdx.x * 64 + threadIdx.x];
  __shared__ float part[2];
  for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffffu, v, d);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(total, part[0] + part[1]);
}

__device__ unsigned int arrived;
// launch grid=4 block=32 f128 o5
extern "C" __global__ void the_last_block_adds_up(const float *x, float *y) {
  __shared__ bool last;
  float v = x[blockIdx.x * 32 + threadIdx.x];
  for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffffu, v, d);
  if (threadIdx.x == 0) {
    y[1 + blockIdx.x] = v;
    __threadfence();
    last = atomicInc(&arrived, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float sum = 0.0f;
    for (int b = 0; b < gridDim.x; b++) sum += y[1 + b];
    y[0] = sum;
  }
}

// launch grid=1 block=32 f32 z1
extern "C" __global__ void most_by_compare_and_swap(const float *x, float *y) {
  int *at = (int *)y;
  int seen = atomicAdd(at, 0);
  while (__int_as_float(seen) < x[threadIdx.x]) {
    int was = atomicCAS(at, seen, __float_as_int(x[threadIdx.x]));
    if (was == seen) break;
    seen = was;
  }
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void lanes_joined_by_chance(const float *x, float *y) {
  if (x[threadIdx.x] > 0.5f) {
    cg::coalesced_group group = cg::coalesced_threads();
    float sum = cg::reduce(group, x[threadIdx.x], cg::plus<float>());
    y[threadIdx.x] = sum / group.size();
  } else {
    y[threadIdx.x] = 0.0f;
  }
}
