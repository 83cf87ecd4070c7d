// The same, a tile 33 wide: the next row begins one bank further on.
// A column now goes through all 32 banks. The 33rd place of a row is never used.
// Launch: blocks of (32, 8), one for each tile.

extern "C" __global__ void transpose(const float* k, float* out, int S, int E) {
    __shared__ float tile[32][33];
    for (int j = threadIdx.y; j < 32; j += 8) {
        int s = blockIdx.y * 32 + j, e = blockIdx.x * 32 + threadIdx.x;
        if (s < S && e < E)
            tile[j][threadIdx.x] = k[(size_t)s * E + e];
    }
    __syncthreads();
    for (int j = threadIdx.y; j < 32; j += 8) {
        int e = blockIdx.x * 32 + j, s = blockIdx.y * 32 + threadIdx.x;
        if (s < S && e < E)
            out[(size_t)e * S + s] = tile[threadIdx.x][j];
    }
}
