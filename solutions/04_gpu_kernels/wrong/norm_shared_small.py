"""Dynamic shared memory of half the size that is used."""

FAILS = {
    "rms_norm_clean": "out-of-bounds",
}

RMS_NORM = r"""
extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    extern __shared__ float sums[];
    const float* row = x + (size_t)blockIdx.x * D;
    float sum = 0;
    for (int i = threadIdx.x; i < D; i += blockDim.x)
        sum += row[i] * row[i];
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    float scale = rsqrtf(sums[0] / D + eps);
    for (int i = threadIdx.x; i < D; i += blockDim.x)
        out[(size_t)blockIdx.x * D + i] = row[i] * scale * weight[i];
}
"""


def rms_norm(T, D):
    return RMS_NORM, T, 128, 256
