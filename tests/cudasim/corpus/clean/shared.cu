// Shared memory, ordered by barriers.

// launch grid=2 block=64 f128 o128
extern "C" __global__ void reversal(const float *x, float *y) {
  __shared__ float s[64];
  int i = threadIdx.x;
  s[i] = x[blockIdx.x * 64 + i];
  __syncthreads();
  y[blockIdx.x * 64 + i] = s[63 - i];
}

#define TILE 8
// launch grid=3,3 block=8,8 f400 f400 o400 i20
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n) {
  __shared__ float at[TILE][TILE], bt[TILE][TILE + 1];
  int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < n; k += TILE) {
    at[threadIdx.y][threadIdx.x] =
        row < n && k + threadIdx.x < n ? a[row * n + k + threadIdx.x] : 0.0f;
    bt[threadIdx.y][threadIdx.x] =
        col < n && k + threadIdx.y < n ? b[(k + threadIdx.y) * n + col] : 0.0f;
    __syncthreads();
    for (int j = 0; j < TILE; j++) sum += at[threadIdx.y][j] * bt[j][threadIdx.x];
    __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}

// launch grid=1 block=256 f256 o1
extern "C" __global__ void tree(const float *x, float *y) {
  __shared__ float s[256];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  for (int d = 128; d > 0; d /= 2) {
    if (i < d) s[i] += s[i + d];
    __syncthreads();
  }
  if (i == 0) y[0] = s[0];
}

// launch grid=1 block=100 f100 o1
extern "C" __global__ void tree_of_any_size(const float *x, float *y) {
  __shared__ float s[100];
  int i = threadIdx.x;
  s[i] = x[i];
  for (int n = 100; n > 1;) {
    __syncthreads();
    int half = (n + 1) / 2;
    if (i < n / 2) s[i] += s[i + half];
    n = half;
  }
  __syncthreads();
  if (i == 0) y[0] = s[0];
}

// launch grid=1 block=256 f256 o1
extern "C" __global__ void tree_with_syncwarp(const float *x, float *y) {
  __shared__ float s[256];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  for (int d = 128; d > 16; d /= 2) {
    if (i < d) s[i] += s[i + d];
    __syncthreads();
  }
  if (i < 32) {
    for (int d = 16; d > 0; d /= 2) {
      float v = s[i + d];
      __syncwarp();
      s[i] += v;
      __syncwarp();
    }
  }
  if (i == 0) y[0] = s[0];
}

// launch grid=1 block=64 f64 o64 shared=256
extern "C" __global__ void dynamic(const float *x, float *y) {
  extern __shared__ float part[];
  part[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = part[threadIdx.x ^ 1];
}

// launch grid=1 block=32 f32 o32 shared=384
extern "C" __global__ void dynamic_of_two_kinds(const float *x, float *y) {
  extern __shared__ __align__(16) unsigned char raw[];
  float *values = (float *)raw;
  int *order = (int *)(raw + 32 * sizeof(float));
  values[threadIdx.x] = x[threadIdx.x];
  order[threadIdx.x] = 31 - threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = values[order[threadIdx.x]];
}

// launch grid=1 block=32 f34 o32
extern "C" __global__ void halo(const float *x, float *y) {
  __shared__ float s[34];
  int i = threadIdx.x;
  s[i] = x[i];
  if (i < 2) s[32 + i] = x[32 + i];
  __syncthreads();
  y[i] = s[i] + s[i + 1] + s[i + 2];
}

// launch grid=1 block=64 u64 o8
extern "C" __global__ void histogram(const int *x, float *y) {
  __shared__ int bins[8];
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&bins[x[threadIdx.x] % 8], 1);
  __syncthreads();
  if (threadIdx.x < 8) y[threadIdx.x] = bins[threadIdx.x];
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void scan_by_two_buffers(const float *x, float *y) {
  __shared__ float s[2][64];
  int i = threadIdx.x, now = 0;
  s[0][i] = x[i];
  __syncthreads();
  for (int d = 1; d < 64; d *= 2) {
    s[1 - now][i] = i >= d ? s[now][i] + s[now][i - d] : s[now][i];
    now = 1 - now;
    __syncthreads();
  }
  y[i] = s[now][i];
}

// launch grid=1 block=64 f64 o64
extern "C" __global__ void broadcast(const float *x, float *y) {
  __shared__ float first;
  if (threadIdx.x == 0) first = x[0];
  __syncthreads();
  y[threadIdx.x] = x[threadIdx.x] - first;
}

// launch grid=1 block=64 f50 o50 i50
extern "C" __global__ void guard_around_the_work_not_the_barrier(const float *x, float *y, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  s[i] = i < n ? x[i] : 0.0f;
  __syncthreads();
  if (i < n) y[i] = s[63 - i];
}

// launch grid=1 block=96 f96 o1
extern "C" __global__ void counts_at_the_barrier(const float *x, float *y) {
  int n = __syncthreads_count(x[threadIdx.x] > 0.5f);
  int any = __syncthreads_or(x[threadIdx.x] > 0.99f);
  int all = __syncthreads_and(x[threadIdx.x] >= 0.0f);
  if (threadIdx.x == 0) y[0] = n + 1000 * any + 2000 * all;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void volatile_with_barriers(const float *x, float *y) {
  volatile __shared__ float s[32];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[(threadIdx.x + 1) % 32];
}

// launch grid=2 block=32 f64 o64
extern "C" __global__ void structs_in_shared_memory(const float *x, float *y) {
  __shared__ struct {
    float low[16], high[16];
  } s;
  int i = threadIdx.x;
  if (i < 16) s.low[i] = x[blockIdx.x * 32 + i];
  else s.high[i - 16] = x[blockIdx.x * 32 + i];
  __syncthreads();
  y[blockIdx.x * 32 + i] = i < 16 ? s.high[i] : s.low[i - 16];
}

struct Row {
  float v[40];
};
// launch grid=1 block=32 f32 o32
extern "C" __global__ void large_structs_are_copied(const float *x, float *y) {
  __shared__ Row rows[32];
  Row mine;
  for (int i = 0; i < 40; i++) mine.v[i] = x[threadIdx.x] * i;
  rows[threadIdx.x] = mine;
  __syncthreads();
  y[threadIdx.x] = rows[31 - threadIdx.x].v[39];
}
