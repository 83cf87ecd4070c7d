"""Warps exchange registers where they can; predictions counted one by one."""


def sectors(stride):
    seen = set()
    for thread in range(32):
        seen.add(thread * stride * 4 // 32)
    return len(seen)


def ways(stride):
    banks = {}
    for place in {thread * stride for thread in range(32)}:
        banks.setdefault(place % 32, []).append(place)
    return max(len(places) for places in banks.values())


PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
    extern __shared__ unsigned used[];
    unsigned first = blockIdx.x * blockDim.x;
    used[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        unsigned place = (unsigned)history[i] - first;  // what is before first becomes very large
        if (history[i] >= 0 && place < blockDim.x)
            atomicInc(&used[place], 0xffffffffu);
    }
    __syncthreads();
    if (first + threadIdx.x < V)
        out[first + threadIdx.x] = fmaf(-alpha, (float)used[threadIdx.x], logits[first + threadIdx.x]);
}
"""


def penalize(V, n):
    return PENALIZE, -(-V // 512), 512, 512 * 4


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
    const float* from = x + (size_t)(blockIdx.x * H + blockIdx.y) * E;
    float* to = out + (from - x);
    for (int i = threadIdx.x; i < E / 2; i += blockDim.x) {
        float s, c;
        sincosf(positions[blockIdx.x] * exp2f(-2.0f * i / E * log2f(base)), &s, &c);
        to[i] = from[i] * c - from[i + E / 2] * s;
        to[i + E / 2] = from[i] * s + from[i + E / 2] * c;
    }
}
"""


def rotate(T, H, E):
    return ROTATE, (T, H), 32, 0


ROUND_Q8 = r"""
extern "C" __global__ void round_q8(const float* x, float* out, int n) {
    for (int first = 32 * blockIdx.x; first < n; first += 32 * gridDim.x) {
        int i = first + threadIdx.x;
        float top = i < n ? fabsf(x[i]) : 0.0f;
        for (int d = 16; d; d >>= 1)
            top = fmaxf(top, __shfl_down_sync(0xffffffff, top, d));
        top = __shfl_sync(0xffffffff, top, 0) / 127;
        if (i < n)
            out[i] = top == 0 ? 0 : rintf(x[i] / top) * top;
    }
}
"""


def round_q8(n):
    return ROUND_Q8, min(-(-n // 32), 40), 32, 0


CUMULATE = r"""
__device__ float warp_scan(float v) {
    for (int d = 1; d < 32; d *= 2) {
        float other = __shfl_up_sync(0xffffffff, v, d);
        if (threadIdx.x % 32 >= d)
            v += other;
    }
    return v;
}

extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    __shared__ float totals[8], carry;
    if (threadIdx.x == 0)
        carry = 0;
    for (int first = 0; first < V; first += 256) {
        int v = first + threadIdx.x, warp = threadIdx.x / 32;
        float sum = warp_scan(v < V ? p[blockIdx.x * V + v] : 0);
        if (threadIdx.x % 32 == 31)
            totals[warp] = sum;
        __syncthreads();
        float before = carry;
        for (int w = 0; w < warp; w++)
            before += totals[w];
        if (v < V)
            out[blockIdx.x * V + v] = before + sum;
        __syncthreads();
        if (threadIdx.x == 255)
            carry = before + sum;
        __syncthreads();
    }
}
"""


def cumulate(T, V):
    return CUMULATE, (T,), (256,), 0


def findings() -> dict:
    """What this notebook measured; `lab report` wrote it."""
    return {'sectors': {'1': 4, '2': 8, '5': 20, '8': 32, '32': 32, '33': 32},
     'ways': {'1': 1, '2': 2, '5': 1, '8': 8, '32': 32, '33': 1},
     'costs': {'penalize': [[96, 2, 0], [480, 2, 1], [1536, 2, 6], [3648, 2, 22],
                            [8960, 4, 38]],
               'rotate': [[5824, 0, 0], [33280, 0, 0], [106496, 0, 0], [249600, 0, 0],
                          [461760, 0, 0]],
               'round_q8': [[96, 0, 0], [480, 0, 0], [1536, 0, 0], [3648, 0, 0],
                            [6720, 0, 0]],
               'cumulate': [[192, 6, 0], [640, 6, 0], [2048, 6, 0], [5440, 12, 0],
                            [10048, 18, 0]]}}
