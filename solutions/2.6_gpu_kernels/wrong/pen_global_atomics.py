"""Counts in the output, which nobody has set."""

FAILS = {
    "penalize_values": "wrong-value",
    "penalize_clean": "race",
    "findings_costs": "measured-other",
}


PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < V)
        out[i] = logits[i];
    if (i < n && history[i] >= 0)
        atomicAdd(&out[history[i]], -alpha);
}
"""


def penalize(V, n):
    return PENALIZE, (max(V, n) + 255) // 256, 256, 0
