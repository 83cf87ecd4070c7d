"""cooperative_groups, templates and lambdas; several warps a block, each with rows of its own."""

SCALE_ADD = r"""
template <typename F>
__device__ void for_each(int n, F f) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        f(i);
}

extern "C" __global__ void scale_add(const float* __restrict__ x, const float* __restrict__ y,
                                     float* __restrict__ out, float a, int n) {
    for_each(n, [=](int i) { out[i] = a * x[i] + y[i]; });
}
"""


def scale_add(n):
    return SCALE_ADD, [-(-n // 64)], [64], 0


RMS_NORM = r"""
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;

extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    int t = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if (t >= T)
        return;
    const float* row = x + t * D;
    float sum = 0;
    for (int i = warp.thread_rank(); i < D; i += warp.size())
        sum += row[i] * row[i];
    sum = cg::reduce(warp, sum, cg::plus<float>());
    float scale = rsqrtf(sum / D + eps);
    for (int i = warp.thread_rank(); i < D; i += warp.size())
        out[t * D + i] = row[i] * scale * weight[i];
}
"""


def rms_norm(T, D):
    return RMS_NORM, -(-T // 4), 128, 0


SOFTMAX = r"""
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;

#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

extern "C" __global__ void softmax(const float* x, float* out, int T, int S) {
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    int t = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if (t >= T)
        return;
    float top = MINUS_INFINITY, sum = 0;  // online: one pass for both
    for (int i = warp.thread_rank(); i < S; i += 32) {
        float v = x[t * S + i], higher = fmaxf(top, v);
        if (higher > MINUS_INFINITY)
            sum = sum * expf(top - higher) + expf(v - higher);
        top = higher;
    }
    float all = cg::reduce(warp, top, cg::greater<float>());
    sum = cg::reduce(warp, top > MINUS_INFINITY ? sum * expf(top - all) : 0.0f, cg::plus<float>());
    for (int i = warp.thread_rank(); i < S; i += 32)
        out[t * S + i] = expf(x[t * S + i] - all) / sum;
}
"""


def softmax(T, S):
    return SOFTMAX, -(-T // 8), 256, 0


MATMUL = r"""
template <int TILE>
struct Tiles {
    float x[TILE][TILE + 1], w[TILE][TILE + 1];
};

template <int TILE>
__device__ void load(float (*to)[TILE + 1], const float* from, int row, int rows, int k, int K) {
    int at = k + threadIdx.x;
    to[threadIdx.y][threadIdx.x] = row < rows && at < K ? from[(long)row * K + at] : 0.0f;
}

extern "C" __global__ void matmul(const float* x, const float* w, float* out, int T, int K, int N) {
    __shared__ Tiles<16> tiles;
    int t0 = blockIdx.y * 16, n0 = blockIdx.x * 16;
    float sum = 0;
    for (int k = 0; k < K; k += 16) {
        load<16>(tiles.x, x, t0 + threadIdx.y, T, k, K);
        load<16>(tiles.w, w, n0 + threadIdx.y, N, k, K);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < 16; i++)
            sum = fmaf(tiles.x[threadIdx.y][i], tiles.w[threadIdx.x][i], sum);
        __syncthreads();
    }
    int t = t0 + threadIdx.y, n = n0 + threadIdx.x;
    if (t < T && n < N)
        out[(long)t * N + n] = sum;
}
"""


def matmul(T, K, N):
    return MATMUL, ((N + 15) // 16, (T + 15) // 16), (16, 16), 0


MATVEC_Q8_0 = r"""
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_fp16.h>
namespace cg = cooperative_groups;

struct Block {
    __half d;
    signed char codes[32];
};

extern "C" __global__ void matvec_q8_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    static_assert(sizeof(Block) == 34, "no padding");
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    int n = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if (n >= N)
        return;
    const Block* row = (const Block*)w + (size_t)n * (K / 32);
    float sum = 0;
    for (int b = 0; b < K / 32; b++)
        sum += __half2float(row[b].d) * row[b].codes[warp.thread_rank()] *
               x[b * 32 + warp.thread_rank()];
    sum = cg::reduce(warp, sum, cg::plus<float>());
    if (warp.thread_rank() == 0)
        y[n] = sum;
}
"""


def matvec_q8_0(N, K):
    return MATVEC_Q8_0, -(-N // 2), 64, 0


MATVEC_Q4_0 = r"""
#include <cuda_fp16.h>

struct Block {
    __half d;
    unsigned char codes[16];
};

extern "C" __global__ void matvec_q4_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    __shared__ float sums[8];
    int n = blockIdx.x, j = threadIdx.x % 16, part = threadIdx.x / 16;  // 8 blocks at a time
    const Block* row = (const Block*)w + (size_t)n * (K / 32);
    float sum = 0;
    for (int b = part; b < K / 32; b += 8) {
        int two = row[b].codes[j];
        const float* at = x + b * 32 + j;
        sum += __half2float(row[b].d) * (((two & 15) - 8) * at[0] + ((two >> 4) - 8) * at[16]);
    }
    for (int d = 8; d > 0; d /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, d, 16);
    if (j == 0)
        sums[part] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int p = 1; p < 8; p++)
            sum += sums[p];
        y[n] = sum;
    }
}
"""


def matvec_q4_0(N, K):
    return MATVEC_Q4_0, N, 128, 0


ATTENTION = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

struct Triple {
    float top, total, sum[4];
};

extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    __shared__ Triple parts[4][32];
    int h = blockIdx.x, g = h / (H / G), lane = threadIdx.x, warp = threadIdx.y;
    Triple mine = {MINUS_INFINITY, 0, {0, 0, 0, 0}};
    for (int s = warp; s < L; s += 4) {
        int at = ((block_table[s / B] * B + s % B) * G + g) * E;
        float score = 0;
        for (int e = lane; e < E; e += 32)
            score += q[h * E + e] * k[at + e];
        for (int d = 1; d < 32; d *= 2)
            score += __shfl_xor_sync(~0u, score, d);
        score *= rsqrtf(E);
        float top = fmaxf(mine.top, score), old = expf(mine.top - top), now = expf(score - top);
        for (int j = 0; lane + 32 * j < E; j++)
            mine.sum[j] = mine.sum[j] * old + now * v[at + lane + 32 * j];
        mine.total = mine.total * old + now;
        mine.top = top;
    }
    parts[warp][lane] = mine;
    __syncthreads();
    if (warp > 0)
        return;
    for (int p = 1; p < 4; p++) {
        Triple& other = parts[p][lane];
        float top = fmaxf(mine.top, other.top);
        float a = expf(mine.top - top), b = other.total > 0 ? expf(other.top - top) : 0;
        for (int j = 0; j < 4; j++)
            mine.sum[j] = a * mine.sum[j] + b * other.sum[j];
        mine.total = a * mine.total + b * other.total;
        mine.top = top;
    }
    for (int j = 0; lane + 32 * j < E; j++)
        out[h * E + lane + 32 * j] = mine.sum[j] / mine.total;
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, H, (32, 4), 0
