"""Only the first piece of a row."""

FAILS = {
    "cumulate_values": "output-not-written",
    "cumulate_clean": "nothing-done",
    "cumulate_traffic": "nothing-done",
    "findings_costs": "nothing-done",
}


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    extern __shared__ float sums[];
    int me = threadIdx.x;
    size_t row = (size_t)blockIdx.x * V;
    float carried = 0;
    for (int first = 0; first < 1; first += blockDim.x) {
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
