"""No guard at the end."""

FAILS = {
    "round_q8_clean": "out-of-bounds",
}


ROUND_Q8 = r"""
extern "C" __global__ void round_q8(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float mine = x[i], largest = fabsf(mine);
    for (int k = 16; k > 0; k /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffff, largest, k));
    float d = largest / 127;
    out[i] = d > 0 ? d * rintf(mine / d) : 0;
}
"""


def round_q8(n):
    return ROUND_Q8, (n + 127) // 128, 128, 0
