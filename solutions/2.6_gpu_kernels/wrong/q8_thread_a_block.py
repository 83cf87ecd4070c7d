"""A thread does a whole block."""

FAILS = {
    "round_q8_traffic": "not-coalesced",
    "findings_costs": "measured-other",
}


ROUND_Q8 = r"""
extern "C" __global__ void round_q8(const float* x, float* out, int n) {
    int first = 32 * (blockIdx.x * blockDim.x + threadIdx.x), end = min(first + 32, n);
    float largest = 0;
    for (int i = first; i < end; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    float d = largest / 127;
    for (int i = first; i < end; i++)
        out[i] = d > 0 ? d * rintf(x[i] / d) : 0;
}
"""


def round_q8(n):
    return ROUND_Q8, (n + 4095) // 4096, 128, 0
