"""The keys are read three times: for the maximum, the sum, the values."""

FAILS = {
    "attention_traffic": "cache-read-again",
}

ATTENTION = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

__device__ float score_of(const float* q, const float* k, int lane, int E) {
    float score = 0;
    for (int i = lane; i < E; i += 32)
        score += q[i] * k[i];
    for (int d = 16; d > 0; d /= 2)
        score += __shfl_xor_sync(0xffffffff, score, d);
    return score * rsqrtf((float)E);
}

extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    int h = blockIdx.x, g = h / (H / G), lane = threadIdx.x;
    float top = MINUS_INFINITY, total = 0, sum[4] = {0, 0, 0, 0};
    for (int s = 0; s < L; s++) {
        size_t at = (((size_t)block_table[s / B] * B + s % B) * G + g) * E;
        top = fmaxf(top, score_of(q + h * E, k + at, lane, E));
    }
    for (int s = 0; s < L; s++) {
        size_t at = (((size_t)block_table[s / B] * B + s % B) * G + g) * E;
        total += expf(score_of(q + h * E, k + at, lane, E) - top);
    }
    for (int s = 0; s < L; s++) {
        size_t at = (((size_t)block_table[s / B] * B + s % B) * G + g) * E;
        float p = expf(score_of(q + h * E, k + at, lane, E) - top) / total;
        for (int i = 0; i < 4; i++)
            if (lane + 32 * i < E)
                sum[i] += p * v[at + lane + 32 * i];
    }
    for (int i = 0; i < 4; i++)
        if (lane + 32 * i < E)
            out[h * E + lane + 32 * i] = sum[i];
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, H, 32, 0
