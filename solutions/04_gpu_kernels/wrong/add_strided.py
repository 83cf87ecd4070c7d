"""Each thread takes 8 neighbours, so a warp reads every eighth number."""

FAILS = {
    "scale_add_many": "not-coalesced",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    for (int j = 8 * i; j < 8 * i + 8 && j < n; j++)
        out[j] = a * x[j] + y[j];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 2047) // 2048, 256, 0
