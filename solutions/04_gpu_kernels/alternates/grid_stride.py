"""Grids of a fixed size whose threads walk on, blocks of other sizes, dynamic shared memory."""

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        out[i] = fmaf(a, x[i], y[i]);
}
"""


def scale_add(n):
    return SCALE_ADD, (7, 1, 1), (96, 1, 1), 0


RMS_NORM = r"""
extern __shared__ float sums[];

extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    for (int t = blockIdx.x; t < T; t += gridDim.x) {
        float sum = 0;
        for (int i = threadIdx.x; i < D; i += blockDim.x) {
            float v = x[t * D + i];
            sum += v * v;
        }
        sums[threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.x == 0) {
            float all = 0;
            for (int i = 0; i < blockDim.x; i++)
                all += sums[i];
            sums[0] = 1 / sqrtf(all / D + eps);
        }
        __syncthreads();
        for (int i = threadIdx.x; i < D; i += blockDim.x)
            out[t * D + i] = weight[i] * (x[t * D + i] * sums[0]);
        __syncthreads();
    }
}
"""


def rms_norm(T, D):
    return RMS_NORM, 2, 160, 160 * 4


SOFTMAX = r"""
extern __shared__ float part[];

__device__ float all_of(float v, bool largest) {
    part[threadIdx.x] = v;
    __syncthreads();
    for (int n = blockDim.x / 2; n > 0; n >>= 1) {
        if (threadIdx.x < n) {
            float other = part[threadIdx.x + n];
            part[threadIdx.x] = largest ? fmaxf(part[threadIdx.x], other) : part[threadIdx.x] + other;
        }
        __syncthreads();
    }
    v = part[0];
    __syncthreads();
    return v;
}

extern "C" __global__ void softmax(const float* x, float* out, int T, int S) {
    x += blockIdx.x * S;
    out += blockIdx.x * S;
    float top = -3.4e38f;
    for (int i = threadIdx.x; i < S; i += blockDim.x)
        top = fmaxf(top, x[i]);
    top = all_of(top, true);
    float sum = 0;
    for (int i = threadIdx.x; i < S; i += blockDim.x)
        sum += __expf(x[i] - top);
    sum = all_of(sum, false);
    for (int i = threadIdx.x; i < S; i += blockDim.x)
        out[i] = __expf(x[i] - top) / sum;
}
"""


def softmax(T, S):
    return SOFTMAX, T, 64, 256


MATMUL = r"""
#define TILE 32

extern "C" __global__ void matmul(const float* x, const float* w, float* out, int T, int K, int N) {
    __shared__ float xs[TILE][TILE + 1];
    __shared__ float ws[TILE][TILE + 1];
    float sum[4] = {0, 0, 0, 0};  // this thread's column, every eighth row of the tile
    int t0 = blockIdx.y * TILE, n0 = blockIdx.x * TILE, c = threadIdx.x;
    for (int k0 = 0; k0 < K; k0 += TILE) {
        for (int r = threadIdx.y; r < TILE; r += 8) {
            bool in_k = k0 + c < K;
            xs[r][c] = in_k && t0 + r < T ? x[(t0 + r) * K + k0 + c] : 0.0f;
            ws[r][c] = in_k && n0 + r < N ? w[(n0 + r) * K + k0 + c] : 0.0f;
        }
        __syncthreads();
        for (int k = 0; k < TILE; k++)
            for (int j = 0; j < 4; j++)
                sum[j] += xs[threadIdx.y + 8 * j][k] * ws[c][k];
        __syncthreads();
    }
    for (int j = 0; j < 4; j++) {
        int t = t0 + threadIdx.y + 8 * j;
        if (t < T && n0 + c < N)
            out[t * N + n0 + c] = sum[j];
    }
}
"""


def matmul(T, K, N):
    return MATMUL, (-(-N // 32), -(-T // 32)), (32, 8), 0


MATVEC_Q8_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q8_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    __shared__ float sums[64];
    int n_blocks = K / 32;
    const unsigned char* row = w + blockIdx.x * n_blocks * 34;
    float sum = 0;
    for (int k = threadIdx.x; k < K; k += 64) {
        const unsigned char* block = row + k / 32 * 34;
        sum += __half2float(*reinterpret_cast<const __half*>(block)) *
               static_cast<signed char>(block[2 + k % 32]) * x[k];
    }
    sums[threadIdx.x] = sum;
    for (int n = 32; n > 0; n /= 2) {
        __syncthreads();
        if (threadIdx.x < n)
            sums[threadIdx.x] += sums[threadIdx.x + n];
    }
    if (threadIdx.x == 0)
        y[blockIdx.x] = sums[0];
}
"""


def matvec_q8_0(N, K):
    return MATVEC_Q8_0, N, 64, 0


MATVEC_Q4_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q4_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    int n = blockIdx.x, lane = threadIdx.x;  // a lane for each byte of two blocks
    const unsigned char* row = w + n * (K / 32) * 18;
    float sum = 0;
    for (int b = lane / 16; b < K / 32; b += 2) {
        const unsigned char* block = row + b * 18;
        unsigned char two = block[2 + lane % 16];
        float d = __half2float(((const __half*)block)[0]);
        sum += d * ((two & 0xF) - 8) * x[b * 32 + lane % 16];
        sum += d * ((two >> 4) - 8) * x[b * 32 + lane % 16 + 16];
    }
    for (int d = 16; d > 0; d /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, d);
    if (lane == 0)
        y[n] = sum;
}
"""


def matvec_q4_0(N, K):
    return MATVEC_Q4_0, N, 32, 0


ATTENTION = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    __shared__ float scores[128];  // one chunk of tokens at a time: a score for each thread
    __shared__ float chunk_top, chunk_sum;
    int h = blockIdx.x, g = h / (H / G), i = threadIdx.x, warp = i / 32, lane = i % 32;
    float top = MINUS_INFINITY, total = 0, sum = 0;  // sum: dimension i of the result
    for (int s0 = 0; s0 < L; s0 += 128) {
        int n = min(128, L - s0);
        for (int j = warp; j < n; j += 4) {
            int s = s0 + j;
            const float* key = k + ((block_table[s / B] * B + s % B) * G + g) * E;
            float score = 0;
            for (int e = lane; e < E; e += 32)
                score += q[h * E + e] * key[e];
            for (int d = 16; d > 0; d /= 2)
                score += __shfl_down_sync(0xffffffff, score, d);
            if (lane == 0)
                scores[j] = score / sqrtf(E);
        }
        __syncthreads();
        if (i == 0) {
            float most = top;
            for (int j = 0; j < n; j++)
                most = fmaxf(most, scores[j]);
            float sums = 0;
            for (int j = 0; j < n; j++)
                sums += scores[j] = expf(scores[j] - most);
            chunk_top = most;
            chunk_sum = sums;
        }
        __syncthreads();
        float old = expf(top - chunk_top);
        sum *= old;
        total = total * old + chunk_sum;
        top = chunk_top;
        if (i < E)
            for (int j = 0; j < n; j++) {
                int s = s0 + j;
                sum += scores[j] * v[((block_table[s / B] * B + s % B) * G + g) * E + i];
            }
        __syncthreads();
    }
    if (i < E)
        out[h * E + i] = sum / total;
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, H, 128, 0
