// Residual and LayerNorm in one kernel that keeps its row in registers.
// Each number of x and r crosses the bus once, y and out are written once, and
// nothing is read back. A thread keeps every 256th number of the row; the loop
// over them is unrolled, because only an array whose indices are known to the
// compiler can lie in registers.
// Launch: a block of 256 for each row; D at most 1024.

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

extern "C" __global__ void add_norm(const float* x, const float* r, const float* w, const float* b,
                                    float* y, float* out, int D, float eps) {
    size_t row = (size_t)blockIdx.x * D;
    float kept[4], part = 0;
#pragma unroll
    for (int j = 0; j < 4; j++) {
        int i = threadIdx.x + 256 * j;
        kept[j] = 0;
        if (i < D) {
            kept[j] = x[row + i] + r[row + i];
            y[row + i] = kept[j];  // the next layer's residual
        }
        part += kept[j];
    }
    float mean = block_sum(part) / D;
    part = 0;
#pragma unroll
    for (int j = 0; j < 4; j++)
        if (threadIdx.x + 256 * j < D)
            part += (kept[j] - mean) * (kept[j] - mean);
    float scale = rsqrtf(block_sum(part) / D + eps);
#pragma unroll
    for (int j = 0; j < 4; j++) {
        int i = threadIdx.x + 256 * j;
        if (i < D)
            out[row + i] = (kept[j] - mean) * scale * w[i] + b[i];
    }
}
