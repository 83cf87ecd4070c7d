"""The grid counts rows in x and columns in y; the kernel does not."""

FAILS = {
    "matmul_values": "output-not-written",
    "matmul_clean": "nothing-done",
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
        __syncthreads();
    }
    if (t < T && n < N)
        out[(size_t)t * N + n] = sum;
}
"""


def matmul(T, K, N):
    return MATMUL, ((T + 15) // 16, (N + 15) // 16), (16, 16), 0
