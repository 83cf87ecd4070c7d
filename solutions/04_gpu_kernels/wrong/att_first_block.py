"""Only the tokens of the first block."""

FAILS = {
    "attention_values": "attention-first-block",
    "attention_clean": "nothing-done",
    "attention_low": "attention-first-block",
}

ATTENTION = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    int h = blockIdx.x, g = h / (H / G), lane = threadIdx.x;
    float mine[4], sum[4] = {0, 0, 0, 0};  // dimensions lane, lane + 32, ... of the query, of a
    for (int i = 0; i < 4; i++)
        mine[i] = lane + 32 * i < E ? q[h * E + lane + 32 * i] * rsqrtf((float)E) : 0;
    float top = MINUS_INFINITY, total = 0;
    for (int s = 0; s < L && s < B; s++) {
        size_t at = (((size_t)block_table[s / B] * B + s % B) * G + g) * E;
        float score = 0;
        for (int i = 0; i < 4; i++)
            if (lane + 32 * i < E)
                score += mine[i] * k[at + lane + 32 * i];
        for (int d = 16; d > 0; d /= 2)
            score += __shfl_xor_sync(0xffffffff, score, d);
        float higher = fmaxf(top, score);
        float old = expf(top - higher), now = expf(score - higher);
        for (int i = 0; i < 4; i++)
            if (lane + 32 * i < E)
                sum[i] = sum[i] * old + now * v[at + lane + 32 * i];
        total = total * old + now;
        top = higher;
    }
    for (int i = 0; i < 4; i++)
        if (lane + 32 * i < E)
            out[h * E + lane + 32 * i] = sum[i] / total;
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, H, 32, 0
