"""Vectors of four where they are aligned, rows kept in registers, one query group a block."""

SCALE_ADD = r"""
extern "C" __global__ void __launch_bounds__(128)
scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (4 * i + 3 < n) {
        float4 p = ((const float4*)x)[i], q = ((const float4*)y)[i];
        ((float4*)out)[i] = make_float4(a * p.x + q.x, a * p.y + q.y, a * p.z + q.z, a * p.w + q.w);
    } else {
        for (int j = 4 * i; j < n; j++)
            out[j] = a * x[j] + y[j];
    }
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 511) // 512, 128, 0


RMS_NORM = r"""
extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    __shared__ float sums[8], scale;
    const float* row = x + (size_t)blockIdx.x * D;
    float kept[8], sum = 0;  // the first 2048 numbers of a row are read once
    for (int j = 0, i = threadIdx.x; i < D; i += 256, j++) {
        float v = row[i];
        if (j < 8)
            kept[j] = v;
        sum += v * v;
    }
    for (int d = 16; d > 0; d /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, d);
    if (threadIdx.x % 32 == 0)
        sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = threadIdx.x < 8 ? sums[threadIdx.x] : 0;
        for (int d = 4; d > 0; d /= 2)
            sum += __shfl_down_sync(0xffffffffu, sum, d);
        if (threadIdx.x == 0)
            scale = rsqrtf(sum / D + eps);
    }
    __syncthreads();
    for (int j = 0, i = threadIdx.x; i < D; i += 256, j++)
        out[(size_t)blockIdx.x * D + i] = (j < 8 ? kept[j] : row[i]) * scale * weight[i];
}
"""


def rms_norm(T, D):
    return RMS_NORM, T, 256, 0


ATTENTION = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    extern __shared__ float shared[];  // one key and one value, read once for the whole group
    float* key = shared;
    float* value = shared + E;
    int g = blockIdx.x, h = g * (H / G) + threadIdx.y, lane = threadIdx.x;
    float top = MINUS_INFINITY, total = 0, sum[4] = {0, 0, 0, 0};
    for (int s = 0; s < L; s++) {
        size_t at = (((size_t)block_table[s / B] * B + s % B) * G + g) * E;
        for (int i = threadIdx.y * 32 + lane; i < E; i += 32 * blockDim.y) {
            key[i] = k[at + i];
            value[i] = v[at + i];
        }
        __syncthreads();
        float score = 0;
        for (int i = lane; i < E; i += 32)
            score += q[h * E + i] * key[i];
        for (int d = 16; d > 0; d /= 2)
            score += __shfl_xor_sync(0xffffffff, score, d);
        score /= sqrtf((float)E);
        float higher = fmaxf(top, score);
        float old = expf(top - higher), now = expf(score - higher);
        for (int i = 0; i < 4; i++)
            if (lane + 32 * i < E)
                sum[i] = sum[i] * old + now * value[lane + 32 * i];
        total = total * old + now;
        top = higher;
        __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        if (lane + 32 * i < E)
            out[h * E + lane + 32 * i] = sum[i] / total;
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, G, (32, H // G), 2 * E * 4
