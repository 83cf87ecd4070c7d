"""Every thread adds up from the beginning."""

FAILS = {
    "cumulate_traffic": "read-again",
    "findings_costs": "measured-other",
}


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    for (int v = threadIdx.x; v < V; v += blockDim.x) {
        float sum = 0;
        for (int u = 0; u <= v; u++)
            sum += p[(size_t)blockIdx.x * V + u];
        out[(size_t)blockIdx.x * V + v] = sum;
    }
}
"""


def cumulate(T, V):
    return CUMULATE, T, 128, 0
