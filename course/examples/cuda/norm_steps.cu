// Residual and LayerNorm, an operation a kernel: y = x + r, then out = (y - mean)
// / deviation * w + b.
// As a framework would launch it. Every kernel reads what the one before it
// wrote, and the norm reads its row three times: for the mean, for the variance,
// for the result.
// Launch: add with any grid and block, then layer_norm with a block of 256 for
// each row.

extern "C" __global__ void add(const float* x, const float* r, float* y, int n) {
    int thread = blockIdx.x * blockDim.x + threadIdx.x, threads = gridDim.x * blockDim.x;
    for (int i = thread; i < n; i += threads)
        y[i] = x[i] + r[i];
}

// The sum of a number of each thread over a block of 256, for all its threads.
__device__ float block_sum(float mine) {
    __shared__ float parts[8];
    for (int lane = 1; lane < 32; lane *= 2)
        mine += __shfl_xor_sync(0xffffffff, mine, lane);
    __syncthreads();  // a sum before this one may still be read
    if (threadIdx.x % 32 == 0)
        parts[threadIdx.x / 32] = mine;
    __syncthreads();
    float all = 0;
    for (int w = 0; w < 8; w++)
        all += parts[w];
    return all;
}

extern "C" __global__ void layer_norm(const float* y, const float* w, const float* b,
                                      float* out, int D, float eps) {
    const float* row = y + (size_t)blockIdx.x * D;
    float part = 0;
    for (int i = threadIdx.x; i < D; i += 256)
        part += row[i];
    float mean = block_sum(part) / D;
    part = 0;
    for (int i = threadIdx.x; i < D; i += 256)
        part += (row[i] - mean) * (row[i] - mean);
    float scale = rsqrtf(block_sum(part) / D + eps);
    for (int i = threadIdx.x; i < D; i += 256)
        out[(size_t)blockIdx.x * D + i] = (row[i] - mean) * scale * w[i] + b[i];
}
