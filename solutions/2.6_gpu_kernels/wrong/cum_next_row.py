"""Reads on into the next row."""

FAILS = {
    "cumulate_clean": "out-of-bounds",
    "findings_costs": "measured-other",
}


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    extern __shared__ float sums[];
    int me = threadIdx.x;
    size_t row = (size_t)blockIdx.x * V;
    float carried = 0;
    for (int first = 0; first < V; first += blockDim.x) {
        sums[me] = p[row + first + me];
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
