"""Four codes at once as an int, which is misaligned in a block of 34 bytes."""

FAILS = {
    "matvec_q8_0_clean": "misaligned",
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
    for (int four = lane; four < K / 4; four += 32) {
        const unsigned char* block = row + four / 8 * 34;
        float d = __half2float(*(const __half*)block);
        int codes = *(const int*)(block + 2 + four % 8 * 4);
        for (int i = 0; i < 4; i++)
            sum += d * (signed char)(codes >> 8 * i) * x[four * 4 + i];
    }
    for (int d = 16; d > 0; d /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, d);
    if (lane == 0)
        y[n] = sum;
}
"""


def matvec_q8_0(N, K):
    return MATVEC_Q8_0, (N + 3) // 4, 128, 0
