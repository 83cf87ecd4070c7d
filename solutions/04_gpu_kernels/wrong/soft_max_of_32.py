"""The maximum is that of the first 32 numbers, which is enough where all are near each other."""

FAILS = {
    "softmax_far": "softmax-max-of-part",
}

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
    float top = threadIdx.x < S ? row[threadIdx.x] : MINUS_INFINITY;
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
