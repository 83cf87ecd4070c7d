"""The sum ends at a warp."""

FAILS = {
    "cumulate_values": "scan-warp-alone",
    "findings_costs": "measured-other",
}


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    for (int first = 0; first < V; first += blockDim.x) {
        int v = first + threadIdx.x, lane = threadIdx.x % 32;
        float sum = v < V ? p[(size_t)blockIdx.x * V + v] : 0;
        for (int d = 1; d < 32; d *= 2) {
            float left = __shfl_up_sync(0xffffffff, sum, d);
            if (lane >= d)
                sum += left;
        }
        if (v < V)
            out[(size_t)blockIdx.x * V + v] = sum;
    }
}
"""


def cumulate(T, V):
    return CUMULATE, T, 128, 0
