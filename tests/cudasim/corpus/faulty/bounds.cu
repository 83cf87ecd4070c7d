// Accesses beyond an array.

// launch grid=2 block=32 f40 o40 i40
extern "C" __global__ void no_guard_on_the_tail(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i] * 2.0f;  // finds out-of-bounds
}

// launch grid=1 block=64 f64 o64 i64
extern "C" __global__ void guard_off_by_one(const float *x, float *y, int n) {
  for (int i = threadIdx.x; i <= n; i += blockDim.x) {
    y[i] = x[i];  // finds out-of-bounds
  }
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void left_neighbour_of_the_first(const float *x, float *y) {
  int i = threadIdx.x;
  y[i] = x[i - 1] + x[i];  // finds out-of-bounds
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void right_neighbour_of_the_last(const float *x, float *y) {
  int i = threadIdx.x;
  float right = x[i + 1];  // finds out-of-bounds
  y[i] = right;
}

// launch grid=1 block=16,16 f256 o256
extern "C" __global__ void tile_one_column_short(const float *x, float *y) {
  __shared__ float tile[16][15];
  int i = threadIdx.y * 16 + threadIdx.x;
  tile[threadIdx.y][threadIdx.x] = x[i];  // finds out-of-bounds
  __syncthreads();
  y[i] = tile[threadIdx.y][threadIdx.x];  // finds out-of-bounds
}

// launch grid=1 block=64 f64 o64 shared=128
extern "C" __global__ void dynamic_memory_too_small(const float *x, float *y) {
  extern __shared__ float part[];
  part[threadIdx.x] = x[threadIdx.x];  // finds out-of-bounds
  __syncthreads();
  y[threadIdx.x] = part[63 - threadIdx.x];  // finds out-of-bounds
}

// launch grid=1 block=32 f32 o32 shared=128
extern "C" __global__ void before_dynamic_memory(const float *x, float *y) {
  extern __shared__ float part[];
  part[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = part[threadIdx.x] - part[(int)threadIdx.x - 1];  // finds out-of-bounds
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void shared_by_a_pointer(const float *x, float *y) {
  __shared__ float s[32];
  float *p = s;
  p[threadIdx.x + 1] = x[threadIdx.x];  // finds out-of-bounds
  __syncthreads();
  y[threadIdx.x] = threadIdx.x ? p[threadIdx.x] : 0.0f;
}

// launch grid=1 block=1 f64 o4 i60000
extern "C" __global__ void index_overflows_int(const float *x, float *y, int n) {
  int row = n, stride = n;
  y[0] = x[row * stride];  // finds out-of-bounds
}

// launch grid=4 block=32 f100 o4 i32
extern "C" __global__ void reads_into_the_next_row(const float *x, float *y, int width) {
  float sum = 0.0f;
  for (int i = 0; i < width; i++) sum += x[blockIdx.x * width + i];  // finds out-of-bounds
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// launch grid=1 block=8 f30 o8
extern "C" __global__ void vector_load_past_the_end(const float *x, float *y) {
  float4 v = ((const float4 *)x)[threadIdx.x];  // finds out-of-bounds
  y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void table_of_constants(const float *x, float *y) {
  float weights[4] = {1.0f, 2.0f, 3.0f, 4.0f};
  float sum = 0.0f;
  for (int i = 0; i < 5; i++) sum += x[threadIdx.x] * weights[(threadIdx.x + i) % 5];  // finds out-of-bounds
  y[threadIdx.x] = sum;
}

// launch grid=1 block=32 u32 o32
extern "C" __global__ void histogram_bin_too_far(const int *x, float *y) {
  __shared__ int bins[16];
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&bins[x[threadIdx.x]], 1);  // finds out-of-bounds
  __syncthreads();
  if (threadIdx.x < 16) y[threadIdx.x] = bins[threadIdx.x];
}

// launch grid=1 block=1 f8 o8 null
extern "C" __global__ void null_pointer(const float *x, float *y, float *z) {
  z[threadIdx.x] = x[0];  // finds wild-pointer
}

// launch grid=1 block=4 f8 o8
extern "C" __global__ void pointer_made_of_a_number(const float *x, float *y) {
  const float *far = (const float *)((unsigned long long)x ^ 0x5000000000000000ull);
  y[threadIdx.x] = far[0];  // finds wild-pointer
}
