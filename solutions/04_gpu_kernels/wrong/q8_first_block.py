"""Only the first block of a row."""

FAILS = {
    "matvec_q8_0_values": "q8-first-block",
    "matvec_q8_0_clean": "nothing-done",
}

MATVEC_Q8_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q8_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    int n = blockIdx.x * 4 + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (n >= N)
        return;
    const unsigned char* row = w + (size_t)n * (K / 32) * 34;
    float sum = 0;
    for (int b = 0; b < 1; b++) {
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
