// SwiGLU's gate, out = silu(gate) * up: a thread takes a run of 16 neighbours.
// It looks natural, as on a CPU, and it is the worst order there is: in one step
// the 32 threads of a warp read numbers that lie 64 bytes apart, each from a
// sector of its own.
// Launch: enough threads for n / 16 runs.

extern "C" __global__ void gate(const float* g, const float* u, float* out, int n) {
    int first = 16 * (blockIdx.x * blockDim.x + threadIdx.x);
    for (int i = first; i < first + 16 && i < n; i++)
        out[i] = g[i] / (1 + expf(-g[i])) * u[i];
}
