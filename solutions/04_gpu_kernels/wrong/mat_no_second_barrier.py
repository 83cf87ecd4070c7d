"""No barrier after the products: fast threads load the next tile under slow ones."""

FAILS = {
    "matmul_values": "wrong-value",
    "matmul_clean": "race",
}

MATMUL = r"""
extern "C" __global__ void matmul(const float* x, const float* w, float* out, int T, int K, int N) {
    __shared__ float xs[16][17], ws[16][17];  // 17: a column of a tile is in 16 different banks
    int t = blockIdx.y * 16 + threadIdx.y, n = blockIdx.x * 16 + threadIdx.x;
    int row = blockIdx.x * 16 + threadIdx.y;  // of w, that this thread loads
    float sum = 0;
    for (int k = 0; k < K; k += 16) {
        int at = k + threadIdx.x;
        xs[threadIdx.y][threadIdx.x] = t < T && at < K ? x[(size_t)t * K + at] : 0;
        ws[threadIdx.y][threadIdx.x] = row < N && at < K ? w[(size_t)row * K + at] : 0;
        __syncthreads();
        for (int i = 0; i < 16; i++)
            sum += xs[threadIdx.y][i] * ws[threadIdx.x][i];
    }
    if (t < T && n < N)
        out[(size_t)t * N + n] = sum;
}
"""


def matmul(T, K, N):
    return MATMUL, ((N + 15) // 16, (T + 15) // 16), (16, 16), 0
