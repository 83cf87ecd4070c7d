"""Counting begins before all counters are zero."""

FAILS = {
    "penalize_values": "wrong-value",
    "penalize_clean": "race",
    "findings_costs": "measured-other",
}


PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
    __shared__ int counts[256];
    int first = blockIdx.x * 256, v = first + threadIdx.x;
    counts[threadIdx.x] = 0;
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
