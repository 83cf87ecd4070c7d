// Every thread for itself.

// launch grid=2 block=32 f40 o40 i40
extern "C" __global__ void guarded(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * 2.0f;
}

// launch grid=2 block=32 f300 o300 i300
extern "C" __global__ void grid_stride(const float *x, float *y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    y[i] = expf(-x[i]) + fmaxf(x[i], 0.5f);
  }
}

// launch grid=2 block=32 f256 o256 i64
extern "C" __global__ void vectors_of_four(const float4 *x, float4 *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float4 v = x[i];
  y[i] = make_float4(v.w, v.z, v.y, v.x);
}

// launch grid=1,2 block=8,4 f64 o64 i8
extern "C" __global__ void two_dimensions(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y * blockDim.y + threadIdx.y;
  if (i < n && j < n) y[i * n + j] = x[j * n + i];
}

// launch grid=1,1,2 block=2,3,4 o48
extern "C" __global__ void three_dimensions(float *y) {
  int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  y[blockIdx.z * 24 + t] = t + 100.0f * blockIdx.z;
}

// launch grid=1 block=32 f32 o32
extern "C" __global__ void in_and_out_are_read_again(const float *x, float *y) {
  y[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] += 1.0f;
  y[threadIdx.x] *= y[threadIdx.x];
}

// launch grid=1 block=64 b128 o128
extern "C" __global__ void nibbles(const unsigned char *codes, float *y) {
  unsigned char c = codes[threadIdx.x];
  y[threadIdx.x] = (float)(c & 15) - 8.0f;
  y[threadIdx.x + 64] = (float)(c >> 4) - 8.0f;
}

// launch grid=1 block=64 f64 z64
extern "C" __global__ void bytes_side_by_side(const float *x, float *y) {
  unsigned char *b = (unsigned char *)y;
  for (int i = 0; i < 4; i++) b[threadIdx.x + 64 * i] = (unsigned char)(threadIdx.x + i);
}

// launch grid=1 block=32 f32 h64
extern "C" __global__ void shorts_side_by_side(const float *x, unsigned short *y) {
  y[2 * threadIdx.x] = (unsigned short)(x[threadIdx.x] * 100.0f);
  y[2 * threadIdx.x + 1] = 1;
}

// launch grid=2 block=32 f64 o1
extern "C" __global__ void everyone_writes_the_same(const float *x, float *y) {
  if (x[blockIdx.x * 32 + threadIdx.x] >= 0.0f) y[0] = 1.0f;
}

// launch grid=1 block=16 f16 o16
extern "C" __global__ void local_array(const float *x, float *y) {
  float v[8];
  for (int i = 0; i < 8; i++) v[i] = x[threadIdx.x] * i;
  float sum = 0.0f;
  for (int i = 0; i < 8; i++) sum += v[(i + threadIdx.x) % 8];
  y[threadIdx.x] = sum;
}

__constant__ float weights[4] = {1.0f, 2.0f, 3.0f, 4.0f};
__device__ float weighted(const float *x, int i) {
  return x[i] * weights[i % 4];
}
// launch grid=1 block=32 f32 o32
extern "C" __global__ void constants_and_a_function(const float *x, float *y) {
  y[threadIdx.x] = weighted(x, threadIdx.x);
}

template <class F>
__device__ float twice(float v, F f) {
  return f(f(v));
}
// launch grid=1 block=32 f32 o32
extern "C" __global__ void a_lambda(const float *x, float *y) {
  float a = x[0];
  y[threadIdx.x] = twice(x[threadIdx.x], [=](float v) { return v * a + 1.0f; });
}

struct Pair {
  float key;
  int value;
};
// launch grid=1 block=32 r32 r32
extern "C" __global__ void structs(const Pair *x, Pair *y) {
  Pair p = x[threadIdx.x];
  p.value += 1;
  y[31 - threadIdx.x] = p;
}
