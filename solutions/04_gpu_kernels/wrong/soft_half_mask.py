"""The mask names 16 lanes, all 32 shuffle."""

FAILS = {
    "softmax_values": "output-not-written",
    "softmax_clean": "wrong-mask",
    "softmax_far": "output-not-written",
    "softmax_traffic": "nothing-done",
}

SOFTMAX = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

__device__ float warp_max(float v) {
    for (int d = 16; d > 0; d /= 2)
        v = fmaxf(v, __shfl_xor_sync(0x0000ffff, v, d));
    return v;
}

__device__ float warp_sum(float v) {
    for (int d = 16; d > 0; d /= 2)
        v += __shfl_xor_sync(0x0000ffff, v, d);
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
