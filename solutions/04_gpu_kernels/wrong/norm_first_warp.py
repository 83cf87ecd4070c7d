"""Shuffles alone: the sums of the other three warps are lost."""

FAILS = {
    "rms_norm_values": "first-warp-alone",
    "rms_norm_eps": "first-warp-alone",
}

RMS_NORM = r"""
extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    __shared__ float all;
    const float* row = x + (size_t)blockIdx.x * D;
    float sum = 0;
    for (int i = threadIdx.x; i < D; i += blockDim.x)
        sum += row[i] * row[i];
    for (int d = 16; d > 0; d /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, d);
    if (threadIdx.x == 0)
        all = sum;
    __syncthreads();
    float scale = rsqrtf(all / D + eps);
    for (int i = threadIdx.x; i < D; i += blockDim.x)
        out[(size_t)blockIdx.x * D + i] = row[i] * scale * weight[i];
}
"""


def rms_norm(T, D):
    return RMS_NORM, T, 128, 0
