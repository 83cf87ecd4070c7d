"""A semicolon is missing."""

FAILS = {
    "scale_add_values": "does-not-compile",
    "scale_add_clean": "does-not-compile",
    "scale_add_many": "does-not-compile",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = a * x[i] + y[i]
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 255) // 256, 256, 0
