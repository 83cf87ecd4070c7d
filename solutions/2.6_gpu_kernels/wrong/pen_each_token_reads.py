"""Every token of the vocabulary reads the history for itself."""

FAILS = {
    "penalize_traffic": "history-read-again",
    "findings_costs": "measured-other",
}


PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
    int v = blockIdx.x * blockDim.x + threadIdx.x, used = 0;
    if (v >= V)
        return;
    for (int i = 0; i < n; i++)
        used += history[i] == v;
    out[v] = logits[v] - alpha * used;
}
"""


def penalize(V, n):
    return PENALIZE, (V + 255) // 256, 256, 0
