"""Two warps take every other token and join in shared memory without a barrier."""

FAILS = {
    "attention_values": "wrong-value",
    "attention_clean": "race",
    "attention_low": "wrong-value",
}

ATTENTION = r"""
#define MINUS_INFINITY __int_as_float(0xff800000)  // NVRTC has no INFINITY

extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    __shared__ float tops[2], totals[2], sums[2][128];
    int h = blockIdx.x, g = h / (H / G), lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float top = MINUS_INFINITY, total = 0, sum[4] = {0, 0, 0, 0};
    for (int s = warp; s < L; s += 2) {
        size_t at = (((size_t)block_table[s / B] * B + s % B) * G + g) * E;
        float score = 0;
        for (int i = lane; i < E; i += 32)
            score += q[h * E + i] * k[at + i];
        for (int d = 16; d > 0; d /= 2)
            score += __shfl_xor_sync(0xffffffff, score, d);
        score *= rsqrtf((float)E);
        float higher = fmaxf(top, score);
        float old = expf(top - higher), now = expf(score - higher);
        for (int i = 0; i < 4; i++)
            if (lane + 32 * i < E)
                sum[i] = sum[i] * old + now * v[at + lane + 32 * i];
        total = total * old + now;
        top = higher;
    }
    tops[warp] = top;
    totals[warp] = total;
    for (int i = 0; i < 4; i++)
        sums[warp][lane + 32 * i] = sum[i];
    if (warp == 1)
        return;
    float both = fmaxf(tops[0], tops[1]);
    float a = expf(tops[0] - both), b = expf(tops[1] - both);
    for (int i = lane; i < E; i += 32)
        out[h * E + i] = (a * sums[0][i] + b * sums[1][i]) / (a * totals[0] + b * totals[1]);
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, H, 64, 0
