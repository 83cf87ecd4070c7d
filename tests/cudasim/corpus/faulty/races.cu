// Accesses that nothing orders.

// launch grid=1 block=64 f64 o64
extern "C" __global__ void reversal_without_barrier(const float *x, float *y) {
  __shared__ float s[64];
  int i = threadIdx.x;
  s[i] = x[i];  // finds race
  y[i] = s[63 - i];  // finds race
}

// launch grid=1 block=16,16 f256 f256 o256 i16
extern "C" __global__ void matmul_without_the_second_barrier(const float *a, const float *b,
                                                             float *c, int n) {
  __shared__ float at[8][8], bt[8][8];
  int ty = threadIdx.y % 8, tx = threadIdx.x % 8;
  if (threadIdx.y >= 8 || threadIdx.x >= 8) {
    __syncthreads();
    __syncthreads();
    return;
  }
  float sum = 0.0f;
  for (int k = 0; k < n; k += 8) {
    at[ty][tx] = a[ty * n + k + tx];  // finds race
    bt[ty][tx] = b[(k + ty) * n + tx];  // finds race
    __syncthreads();  // finds divergent-barrier
    for (int j = 0; j < 8; j++) sum += at[ty][j] * bt[j][tx];  // finds race
  }
  c[ty * n + tx] = sum;
}

// launch grid=1 block=256 f256 o1
extern "C" __global__ void tree_without_barrier_in_the_loop(const float *x, float *y) {
  __shared__ float s[256];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  for (int d = 128; d > 0; d /= 2) {
    if (i < d) s[i] += s[i + d];  // finds race
  }
  if (i == 0) y[0] = s[0];
}

// launch grid=1 block=256 f256 o1
extern "C" __global__ void last_warp_without_syncwarp(const float *x, float *y) {
  __shared__ volatile float s[256];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  for (int d = 128; d > 16; d /= 2) {
    if (i < d) s[i] += s[i + d];
    __syncthreads();
  }
  if (i < 16) s[i] += s[i + 16];  // finds race
  if (i < 8) s[i] += s[i + 8];  // finds race
  if (i == 0) y[0] = s[0];
}

// launch grid=4 block=64 f256 z1
extern "C" __global__ void plain_sum_for_an_atomic(const float *x, float *total) {
  *total += x[blockIdx.x * blockDim.x + threadIdx.x];  // finds race
}

// launch grid=1 block=64 u64 z64
extern "C" __global__ void histogram_without_atomics(const int *x, float *y) {
  __shared__ int bins[8];
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  __syncthreads();
  bins[x[threadIdx.x] % 8]++;  // finds race
  __syncthreads();
  if (threadIdx.x < 8) y[threadIdx.x] = bins[threadIdx.x];
}

// launch grid=2 block=32 f64 o32
extern "C" __global__ void blocks_write_the_same_cells(const float *x, float *y) {
  y[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];  // finds race
}

// launch grid=4 block=32 f128 o128
extern "C" __global__ void reads_what_another_block_writes(const float *x, float *y) {
  int i = blockIdx.x * 32 + threadIdx.x;
  y[i] = x[i];
  if (blockIdx.x > 0) y[i] += y[i - 32];  // finds race
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void shift_in_place(const float *x, float *y) {
  __shared__ float s[33];
  s[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x == 0) s[32] = 0.0f;
  __syncthreads();
  s[threadIdx.x] = s[threadIdx.x + 1];  // finds race
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void shuffle_taken_for_a_barrier(const float *x, float *y) {
  __shared__ float s[64];
  int i = threadIdx.x;
  s[i] = x[i];
  float v = __shfl_xor_sync(0xffffffffu, x[i], 1);
  y[i] = v + s[i ^ 1];  // finds race
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void broadcast_before_it_is_written(const float *x, float *y) {
  __shared__ float mean;
  if (threadIdx.x == 0) mean = x[0];
  y[threadIdx.x] = x[threadIdx.x] - mean;  // finds race
}

// launch grid=1 block=128 f128 o128
extern "C" __global__ void fence_taken_for_a_barrier(const float *x, float *y) {
  __shared__ float s[128];
  s[threadIdx.x] = x[threadIdx.x];  // finds race
  __threadfence_block();
  y[threadIdx.x] = s[127 - threadIdx.x];  // finds race
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void syncwarp_across_two_warps(const float *x, float *y) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];  // finds race
  __syncwarp();
  y[threadIdx.x] = s[threadIdx.x ^ 32];  // finds race
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void one_writes_while_others_read(const float *x, float *y) {
  __shared__ float s[2];
  if (threadIdx.x == 0) s[0] = x[0];
  __syncthreads();
  float v = s[0];
  if (threadIdx.x == 63) s[0] = x[63];  // finds race
  __syncthreads();
  y[threadIdx.x] = v + s[0];
}

// launch grid=1 block=32 f32 h32
extern "C" __global__ void halves_side_by_side_are_fine_but_not_the_same(const float *x,
                                                                         unsigned short *y) {
  y[threadIdx.x] = (unsigned short)threadIdx.x;  // finds race
  if (threadIdx.x < 31) y[threadIdx.x + 1] = 7;  // finds race
}
