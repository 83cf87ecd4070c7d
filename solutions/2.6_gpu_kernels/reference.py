"""Strides and lengths, two formulas, four kernels in their plainest clean form, the measurements."""


def choices():
    return {"strides": [1, 2, 5, 8, 32, 33], "lengths": [7, 40, 128, 300, 555], "seed": 1969}


def sectors(stride):
    return len({stride * t // 8 for t in range(32)})


def ways(stride):
    return min(32, stride & -stride) if stride else 1  # the lowest bit that is set


PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
    __shared__ int counts[256];
    int first = blockIdx.x * 256, v = first + threadIdx.x;
    counts[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += 256) {
        int id = history[i];
        if (id >= first && id < first + 256)
            atomicAdd(&counts[id - first], 1);
    }
    __syncthreads();
    if (v < V)
        out[v] = logits[v] - alpha * counts[threadIdx.x];
}
"""


def penalize(V, n):
    return PENALIZE, (V + 255) // 256, 256, 0


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
    int half = E / 2, thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= T * H * half)
        return;
    int i = thread % half, head = thread / half;
    float angle = positions[head / H] * powf(base, -2.0f * i / E);
    float c = cosf(angle), s = sinf(angle);
    float a = x[head * E + i], b = x[head * E + half + i];
    out[head * E + i] = a * c - b * s;
    out[head * E + half + i] = a * s + b * c;
}
"""


def rotate(T, H, E):
    return ROTATE, (T * H * (E // 2) + 127) // 128, 128, 0


ROUND_Q8 = r"""
extern "C" __global__ void round_q8(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float mine = i < n ? x[i] : 0, largest = fabsf(mine);
    for (int k = 16; k > 0; k /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffff, largest, k));
    float d = largest / 127;
    if (i < n)
        out[i] = d > 0 ? d * rintf(mine / d) : 0;
}
"""


def round_q8(n):
    return ROUND_Q8, (n + 127) // 128, 128, 0


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    extern __shared__ float sums[];
    int me = threadIdx.x;
    size_t row = (size_t)blockIdx.x * V;
    float carried = 0;
    for (int first = 0; first < V; first += blockDim.x) {
        sums[me] = first + me < V ? p[row + first + me] : 0;
        __syncthreads();
        for (int d = 1; d < blockDim.x; d *= 2) {
            float left = me >= d ? sums[me - d] : 0;
            __syncthreads();
            sums[me] += left;
            __syncthreads();
        }
        if (first + me < V)
            out[row + first + me] = carried + sums[me];
        carried += sums[blockDim.x - 1];
        __syncthreads();
    }
}
"""


def cumulate(T, V):
    return CUMULATE, T, 128, 128 * 4


def findings() -> dict:
    """What this notebook measured; `lab report` wrote it."""
    return {'sectors': {'1': 4, '2': 8, '5': 20, '8': 32, '32': 32, '33': 32},
     'ways': {'1': 1, '2': 2, '5': 1, '8': 8, '32': 32, '33': 1},
     'costs': {'penalize': [[96, 2, 0], [480, 2, 1], [1536, 2, 6], [4864, 4, 19],
                            [11200, 6, 38]],
               'rotate': [[3808, 0, 0], [21760, 0, 0], [69632, 0, 0], [163200, 0, 0],
                          [301920, 0, 0]],
               'round_q8': [[64, 0, 0], [320, 0, 0], [1024, 0, 0], [2432, 0, 0],
                            [4480, 0, 0]],
               'cumulate': [[192, 32, 0], [640, 32, 0], [2048, 32, 0], [5440, 96, 0],
                            [10048, 160, 0]]}}
