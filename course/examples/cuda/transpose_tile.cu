// The same, through a tile in shared memory: rows come in, columns go out.
// Both sides of global memory are now read and written by neighbours. What was
// lost there is lost in shared memory: it has 32 banks of four bytes, and the 32
// numbers of a column of a tile 32 wide lie in one and the same bank, so they
// come one after the other.
// Launch: blocks of (32, 8), one for each tile.

extern "C" __global__ void transpose(const float* k, float* out, int S, int E) {
    __shared__ float tile[32][32];
    for (int j = threadIdx.y; j < 32; j += 8) {
        int s = blockIdx.y * 32 + j, e = blockIdx.x * 32 + threadIdx.x;
        if (s < S && e < E)
            tile[j][threadIdx.x] = k[(size_t)s * E + e];
    }
    __syncthreads();  // outside of every "if": all threads of a block must come by
    for (int j = threadIdx.y; j < 32; j += 8) {
        int e = blockIdx.x * 32 + j, s = blockIdx.y * 32 + threadIdx.x;
        if (s < S && e < E)
            out[(size_t)e * S + s] = tile[threadIdx.x][j];
    }
}
