// SwiGLU's gate: neighbours read neighbours.
// In one step a warp reads 32 floats in a row, 128 bytes, four whole sectors. A
// thread goes on by the number of all threads, so any grid will do (a "grid-
// stride loop").
// Launch: any grid and block.

extern "C" __global__ void gate(const float* g, const float* u, float* out, int n) {
    int thread = blockIdx.x * blockDim.x + threadIdx.x, threads = gridDim.x * blockDim.x;
    for (int i = thread; i < n; i += threads) {
        float x = g[i];  // kept in a register: read once, used twice
        out[i] = x / (1 + expf(-x)) * u[i];
    }
}
