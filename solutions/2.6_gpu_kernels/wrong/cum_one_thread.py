"""One thread walks along the row."""

FAILS = {
    "cumulate_traffic": "read-again",
    "findings_costs": "measured-other",
}


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    float sum = 0;
    for (int v = 0; v < V; v++) {
        sum += p[(size_t)blockIdx.x * V + v];
        out[(size_t)blockIdx.x * V + v] = sum;
    }
}
"""


def cumulate(T, V):
    return CUMULATE, T, 1, 0
