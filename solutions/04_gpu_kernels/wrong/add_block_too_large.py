"""Blocks of 2048 threads, which no GPU has."""

FAILS = {
    "scale_add_values": "launch-refused",
    "scale_add_clean": "launch-refused",
    "scale_add_many": "launch-refused",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 2047) // 2048, 2048, 0
