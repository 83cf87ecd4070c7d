// Eight sequences, and x comes through shared memory: 64 columns at a time, read
// once by each block.
// All threads of the block load, also those beyond N: they have to reach the
// barriers anyway. All lanes of a warp read the same number of the tile, which
// costs no bank conflict: it is read once for all.
// Launch: grid N / 128 rounded up, blocks of 128; T is 8.

extern "C" __global__ void product(const float* x, const float* w, float* out, int K, int N) {
    __shared__ float tile[8][64];
    int n = blockIdx.x * 128 + threadIdx.x;
    float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int first = 0; first < K; first += 64) {
        for (int i = threadIdx.x; i < 8 * 64; i += 128) {
            int k = first + i % 64;
            tile[i / 64][i % 64] = k < K ? x[i / 64 * K + k] : 0;
        }
        __syncthreads();
        for (int j = 0; j < 64 && first + j < K; j++) {
            float weight = n < N ? w[(size_t)(first + j) * N + n] : 0;
#pragma unroll
            for (int t = 0; t < 8; t++)
                sum[t] += tile[t][j] * weight;
        }
        __syncthreads();  // before the next tile is written over this one
    }
    if (n < N)
#pragma unroll
        for (int t = 0; t < 8; t++)
            out[t * N + n] = sum[t];
}
