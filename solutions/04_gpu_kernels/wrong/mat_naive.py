"""No tiles: each thread reads its own two rows."""

FAILS = {
    "matmul_traffic": "not-tiled",
}

MATMUL = r"""
extern "C" __global__ void matmul(const float* x, const float* w, float* out, int T, int K, int N) {
    int t = blockIdx.y * 16 + threadIdx.y, n = blockIdx.x * 16 + threadIdx.x;
    if (t >= T || n >= N)
        return;
    float sum = 0;
    for (int k = 0; k < K; k++)
        sum += x[t * K + k] * w[n * K + k];
    out[t * N + n] = sum;
}
"""


def matmul(T, K, N):
    return MATMUL, ((N + 15) // 16, (T + 15) // 16), (16, 16), 0
