"""Assignment 4, the reference: each kernel in the plainest form that is right, clean and frugal."""

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 255) // 256, 256, 0


RMS_NORM = r"""
extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    __shared__ float sums[128];
    const float* row = x + (size_t)blockIdx.x * D;
    float sum = 0;
    for (int i = threadIdx.x; i < D; i += blockDim.x)
        sum += row[i] * row[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    float scale = rsqrtf(sums[0] / D + eps);
    for (int i = threadIdx.x; i < D; i += blockDim.x)
        out[(size_t)blockIdx.x * D + i] = row[i] * scale * weight[i];
}
"""


def rms_norm(T, D):
    return RMS_NORM, T, 128, 0


SOFTMAX = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

__device__ float warp_max(float v) {
    for (int d = 16; d > 0; d /= 2)
        v = fmaxf(v, __shfl_xor_sync(0xffffffff, v, d));
    return v;
}

__device__ float warp_sum(float v) {
    for (int d = 16; d > 0; d /= 2)
        v += __shfl_xor_sync(0xffffffff, v, d);
    return v;
}

extern "C" __global__ void softmax(const float* x, float* out, int T, int S) {
    const float* row = x + (size_t)blockIdx.x * S;
    float top = MINUS_INFINITY;
    for (int i = threadIdx.x; i < S; i += 32)
        top = fmaxf(top, row[i]);
    top = warp_max(top);
    float sum = 0;
    for (int i = threadIdx.x; i < S; i += 32)
        sum += expf(row[i] - top);
    sum = warp_sum(sum);
    for (int i = threadIdx.x; i < S; i += 32)
        out[(size_t)blockIdx.x * S + i] = expf(row[i] - top) / sum;
}
"""


def softmax(T, S):
    return SOFTMAX, T, 32, 0


MATMUL = r"""
extern "C" __global__ void matmul(const float* x, const float* w, float* out, int T, int K, int N) {
    __shared__ float xs[16][17], ws[16][17];  // 17: a column of a tile is in 16 different banks
    int t = blockIdx.y * 16 + threadIdx.y, n = blockIdx.x * 16 + threadIdx.x;
    int row = blockIdx.x * 16 + threadIdx.y;  // of w, that this thread loads
    float sum = 0;
    for (int k = 0; k < K; k += 16) {
        int at = k + threadIdx.x;
        xs[threadIdx.y][threadIdx.x] = t < T && at < K ? x[(size_t)t * K + at] : 0;
        ws[threadIdx.y][threadIdx.x] = row < N && at < K ? w[(size_t)row * K + at] : 0;
        __syncthreads();
        for (int i = 0; i < 16; i++)
            sum += xs[threadIdx.y][i] * ws[threadIdx.x][i];
        __syncthreads();
    }
    if (t < T && n < N)
        out[(size_t)t * N + n] = sum;
}
"""


def matmul(T, K, N):
    return MATMUL, ((N + 15) // 16, (T + 15) // 16), (16, 16), 0


MATVEC_Q8_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q8_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    int n = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (n >= N)
        return;
    const unsigned char* row = w + (size_t)n * (K / 32) * 34;
    float sum = 0;
    for (int b = 0; b < K / 32; b++) {
        const unsigned char* block = row + b * 34;
        float d = __half2float(*(const __half*)block);
        sum += d * (signed char)block[2 + lane] * x[b * 32 + lane];
    }
    for (int d = 16; d > 0; d /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, d);
    if (lane == 0)
        y[n] = sum;
}
"""


def matvec_q8_0(N, K):
    return MATVEC_Q8_0, (N + 3) // 4, 128, 0


MATVEC_Q4_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q4_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    int n = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (n >= N)
        return;
    const unsigned char* row = w + (size_t)n * (K / 32) * 18;
    float sum = 0;
    for (int b = 0; b < K / 32; b++) {
        const unsigned char* block = row + b * 18;
        float d = __half2float(*(const __half*)block);
        int byte = block[2 + lane % 16];
        int code = lane < 16 ? byte & 15 : byte >> 4;
        sum += d * (code - 8) * x[b * 32 + lane];
    }
    for (int d = 16; d > 0; d /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, d);
    if (lane == 0)
        y[n] = sum;
}
"""


def matvec_q4_0(N, K):
    return MATVEC_Q4_0, (N + 3) // 4, 128, 0


ATTENTION = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    int h = blockIdx.x, g = h / (H / G), lane = threadIdx.x;
    float mine[4], sum[4] = {0, 0, 0, 0};  // dimensions lane, lane + 32, ... of the query, of a
    for (int i = 0; i < 4; i++)
        mine[i] = lane + 32 * i < E ? q[h * E + lane + 32 * i] * rsqrtf((float)E) : 0;
    float top = MINUS_INFINITY, total = 0;
    for (int s = 0; s < L; s++) {
        size_t at = (((size_t)block_table[s / B] * B + s % B) * G + g) * E;
        float score = 0;
        for (int i = 0; i < 4; i++)
            if (lane + 32 * i < E)
                score += mine[i] * k[at + lane + 32 * i];
        for (int d = 16; d > 0; d /= 2)
            score += __shfl_xor_sync(0xffffffff, score, d);
        float higher = fmaxf(top, score);
        float old = expf(top - higher), now = expf(score - higher);
        for (int i = 0; i < 4; i++)
            if (lane + 32 * i < E)
                sum[i] = sum[i] * old + now * v[at + lane + 32 * i];
        total = total * old + now;
        top = higher;
    }
    for (int i = 0; i < 4; i++)
        if (lane + 32 * i < E)
            out[h * E + lane + 32 * i] = sum[i] / total;
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, H, 32, 0
