"""A grid of one block."""

FAILS = {
    "scale_add_values": "output-not-written",
    "scale_add_clean": "nothing-done",
    "scale_add_many": "output-not-written",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD, 1, 256, 0
