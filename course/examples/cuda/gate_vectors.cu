// SwiGLU's gate: four floats in one request.
// The bytes are those of gate.cu, but a warp asks a quarter as often. A float4
// must lie at a multiple of 16 bytes: what cudaMalloc gives does, a row whose
// length is no multiple of four need not.
// Launch: any grid and block.

__device__ float silu(float x) { return x / (1 + expf(-x)); }

extern "C" __global__ void gate(const float* g, const float* u, float* out, int n) {
    int thread = blockIdx.x * blockDim.x + threadIdx.x, threads = gridDim.x * blockDim.x;
    for (int i = thread; i < n / 4; i += threads) {
        float4 x = ((const float4*)g)[i], y = ((const float4*)u)[i];
        ((float4*)out)[i] = make_float4(silu(x.x) * y.x, silu(x.y) * y.y,
                                        silu(x.z) * y.z, silu(x.w) * y.w);
    }
    int rest = n / 4 * 4 + thread;  // at most three numbers
    if (rest < n)
        out[rest] = silu(g[rest]) * u[rest];
}
