"""The high half is taken for the first code."""

FAILS = {
    "matvec_q4_0_values": "q4-nibbles-swapped",
}

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
        int code = lane >= 16 ? byte & 15 : byte >> 4;
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
