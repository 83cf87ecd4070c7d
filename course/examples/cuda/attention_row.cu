// The same in one kernel: a block for each query and head keeps its row of scores
// in shared memory.
// No score crosses the bus. But the row must fit: S floats, and a block has 48 KB
// unless it asks for more. And every query still reads all keys and values that
// it sees.
// Launch: grid (T, H), blocks of 64 (E at most 64), S * 4 bytes of dynamic shared
// memory.

// max (or sum) over a block of 64, for all its threads
__device__ float both(float v, bool is_max) {
    __shared__ float halves[2];
    for (int d = 1; d < 32; d *= 2) {
        float other = __shfl_xor_sync(0xffffffff, v, d);
        v = is_max ? fmaxf(v, other) : v + other;
    }
    if (threadIdx.x % 32 == 0)
        halves[threadIdx.x / 32] = v;
    __syncthreads();
    v = is_max ? fmaxf(halves[0], halves[1]) : halves[0] + halves[1];
    __syncthreads();
    return v;
}

extern "C" __global__ void attention(const float* q, const float* k, const float* v, float* out,
                                     int T, int S, int H, int G, int E) {
    extern __shared__ float p[];
    int t = blockIdx.x, h = blockIdx.y, g = h / (H / G), n = S - T + t + 1, warp = threadIdx.x / 32;
    const float* mine = q + (t * H + h) * E;
    for (int s = warp; s < n; s += 2) {  // a warp takes a key: neighbours read neighbours
        float dot = 0;
        for (int e = threadIdx.x % 32; e < E; e += 32)
            dot += mine[e] * k[(s * G + g) * E + e];
        for (int d = 1; d < 32; d *= 2)
            dot += __shfl_xor_sync(0xffffffff, dot, d);
        if (threadIdx.x % 32 == 0)
            p[s] = dot * rsqrtf(E);
    }
    __syncthreads();
    float top = __int_as_float(0xff800000), total = 0;
    for (int s = threadIdx.x; s < n; s += 64)
        top = fmaxf(top, p[s]);
    top = both(top, true);
    for (int s = threadIdx.x; s < n; s += 64) {
        p[s] = expf(p[s] - top);
        total += p[s];
    }
    total = both(total, false);  // its barriers also show everybody's p
    if (threadIdx.x < E) {
        float sum = 0;
        for (int s = 0; s < n; s++)
            sum += p[s] * v[(s * G + g) * E + threadIdx.x];
        out[(t * H + h) * E + threadIdx.x] = sum / total;
    }
}
