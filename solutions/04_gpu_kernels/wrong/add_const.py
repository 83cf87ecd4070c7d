"""Writes into x, which is const, through a cast."""

FAILS = {
    "scale_add_values": "output-not-written",
    "scale_add_clean": "write-to-const",
    "scale_add_many": "output-not-written",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        ((float*)x)[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 255) // 256, 256, 0
