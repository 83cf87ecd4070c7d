// Memory that nobody wrote, that may not be written, that is not aligned.

// launch grid=1 block=32 f32 o32
extern "C" __global__ void last_cell_never_written(const float *x, float *y) {
  __shared__ float s[32];
  if (threadIdx.x < 31) s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[31 - threadIdx.x];  // finds uninitialised-read
}

// launch grid=1 block=100 f100 o1
extern "C" __global__ void tree_for_powers_of_two(const float *x, float *y) {
  __shared__ float s[128];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  for (int d = 64; d > 0; d /= 2) {
    if (i < d) s[i] += s[i + d];  // finds uninitialised-read
    __syncthreads();
  }
  if (i == 0) y[0] = s[0];
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void adds_to_fresh_memory(const float *x, float *y) {
  y[threadIdx.x] += x[threadIdx.x];  // finds uninitialised-read
}

// launch grid=1 block=64 f64 o1
extern "C" __global__ void counter_never_set_to_zero(const float *x, float *y) {
  __shared__ float total;
  atomicAdd(&total, x[threadIdx.x]);  // finds uninitialised-read
  __syncthreads();
  if (threadIdx.x == 0) y[0] = total;
}

// launch grid=1 block=16 p40 o16 i25
extern "C" __global__ void padding_of_the_last_block(const float *cache, float *y, int length) {
  float sum = 0.0f;
  for (int b = 0; b * 16 < length; b++) sum += cache[b * 16 + threadIdx.x];  // finds uninitialised-read
  y[threadIdx.x] = sum;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void halo_left_out(const float *x, float *y) {
  __shared__ float s[34];
  int i = threadIdx.x;
  s[i + 1] = x[i];
  __syncthreads();
  y[i] = s[i] + s[i + 1] + s[i + 2];  // finds uninitialised-read
}

// launch grid=2 block=32 f64 o64
extern "C" __global__ void shared_kept_for_the_next_block(const float *x, float *y) {
  __shared__ float s[32];
  if (blockIdx.x == 0) s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[blockIdx.x * 32 + threadIdx.x] = s[threadIdx.x];  // finds uninitialised-read
}

// launch grid=1 block=4 f64 o8
extern "C" __global__ void float4_at_any_float(const float *x, float *y) {
  float4 v = *(const float4 *)(x + threadIdx.x);  // finds misaligned
  y[threadIdx.x] = v.x;
}

// launch grid=1 block=4 b144 o4
extern "C" __global__ void int_at_an_odd_offset_of_a_block(const unsigned char *blocks, float *y) {
  const int *codes = (const int *)(blocks + threadIdx.x * 34 + 2);
  y[threadIdx.x] = codes[0] & 15;  // finds misaligned
}

// launch grid=1 block=8 f65 o8 i65
extern "C" __global__ void float2_rows_of_odd_length(const float *x, float *y, int n) {
  const float *row = x + threadIdx.x * 7;
  float2 v = *(const float2 *)row;  // finds misaligned
  y[threadIdx.x] = v.x + v.y;
}

// launch grid=1 block=8 f8 o8
extern "C" __global__ void writes_its_input(const float *x, float *y) {
  float *scratch = (float *)x;
  scratch[threadIdx.x] = 0.0f;  // finds write-to-const
  y[threadIdx.x] = 1.0f;
}

__constant__ float table[4] = {1.0f, 2.0f, 3.0f, 4.0f};
// launch grid=1 block=4 f8 o8
extern "C" __global__ void writes_constant_memory(const float *x, float *y) {
  float *t = (float *)&table[threadIdx.x];
  *t = x[threadIdx.x];  // finds write-to-const
  y[threadIdx.x] = 1.0f;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void divides_by_zero(const float *x, float *y) {
  int d = (int)threadIdx.x / 32;
  y[threadIdx.x] = x[threadIdx.x] + 7 / d;  // finds division-by-zero
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void asserts(const float *x, float *y) {
  assert(x[threadIdx.x] < 0.5f);  // finds fault
  y[threadIdx.x] = x[threadIdx.x];
}
