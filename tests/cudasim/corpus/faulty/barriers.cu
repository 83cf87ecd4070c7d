// Barriers that not all threads come to, masks that name the wrong lanes.

// launch grid=1 block=64 f64 o64
extern "C" __global__ void barrier_under_a_condition(const float *x, float *y) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x < 48) {
    __syncthreads();  // finds divergent-barrier
    y[threadIdx.x] = s[threadIdx.x] + 1.0f;
  }
}

// launch grid=1 block=64 f50 o50 i50
extern "C" __global__ void return_before_the_barrier(const float *x, float *y, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  if (i >= n) return;
  s[i] = x[i];
  __syncthreads();  // finds divergent-barrier
  y[i] = s[n - 1 - i];
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void a_barrier_in_each_branch(const float *x, float *y) {
  __shared__ float s[64];
  if (threadIdx.x % 2) {
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();  // finds divergent-barrier
  } else {
    s[threadIdx.x] = -x[threadIdx.x];
    __syncthreads();  // finds divergent-barrier
  }
  y[threadIdx.x] = s[threadIdx.x ^ 1];
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void loop_with_unlike_lengths(const float *x, float *y) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < 100; i += 64) {
    sum += x[i % 64];
    __syncthreads();  // finds divergent-barrier
  }
  y[threadIdx.x] = sum;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void full_mask_in_half_a_warp(const float *x, float *y) {
  float v = x[threadIdx.x];
  if (threadIdx.x < 16) {
    v += __shfl_down_sync(0xffffffffu, v, 8);  // finds wrong-mask
  }
  __syncthreads();
  y[threadIdx.x] = v;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void mask_without_the_caller(const float *x, float *y) {
  float v = x[threadIdx.x];
  v += __shfl_xor_sync(0x0000ffffu, v, 1);  // finds wrong-mask
  y[threadIdx.x] = v;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void reads_a_lane_outside_the_mask(const float *x, float *y) {
  float v = x[threadIdx.x];
  if (threadIdx.x < 16) {
    v += __shfl_down_sync(0x0000ffffu, v, 4);  // finds wrong-mask
  }
  y[threadIdx.x] = v;
}

// launch grid=1 block=32 f20 o1 i20
extern "C" __global__ void lanes_have_returned(const float *x, float *y, int n) {
  int i = threadIdx.x;
  if (i >= n) return;
  float v = x[i];
  for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffffu, v, d);  // finds wrong-mask
  if (i == 0) y[0] = v;
}

// launch grid=1 block=48 f48 o2
extern "C" __global__ void half_a_warp_at_the_end_of_the_block(const float *x, float *y) {
  float v = x[threadIdx.x];
  for (int d = 16; d; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);  // finds wrong-mask
  if (threadIdx.x % 32 == 0) y[threadIdx.x / 32] = v;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void ballot_in_one_branch(const float *x, float *y) {
  unsigned int votes = 0;
  if (x[threadIdx.x] > 0.5f && threadIdx.x < 20) {
    votes = __ballot_sync(0xffffffffu, 1);  // finds wrong-mask
  } else {
    __syncwarp();  // finds wrong-mask
  }
  y[threadIdx.x] = votes;
}
