"""One thread for each row: a warp reads a column."""

FAILS = {
    "rms_norm_traffic": "not-coalesced",
}

RMS_NORM = r"""
extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= T)
        return;
    float sum = 0;
    for (int i = 0; i < D; i++)
        sum += x[(size_t)t * D + i] * x[(size_t)t * D + i];
    float scale = rsqrtf(sum / D + eps);
    for (int i = 0; i < D; i++)
        out[(size_t)t * D + i] = x[(size_t)t * D + i] * scale * weight[i];
}
"""


def rms_norm(T, D):
    return RMS_NORM, (T + 31) // 32, 32, 0
