"""One thread for each row: a warp reads 32 rows, byte by byte."""

FAILS = {
    "matvec_q8_0_traffic": "not-coalesced",
}

MATVEC_Q8_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q8_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    int n = blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= N)
        return;
    float sum = 0;
    for (int b = 0; b < K / 32; b++) {
        const unsigned char* block = w + ((size_t)n * (K / 32) + b) * 34;
        float d = __half2float(*(const __half*)block);
        for (int j = 0; j < 32; j++)
            sum += d * (signed char)block[2 + j] * x[b * 32 + j];
    }
    y[n] = sum;
}
"""


def matvec_q8_0(N, K):
    return MATVEC_Q8_0, (N + 31) // 32, 32, 0
