"""The index is 16 bits wide and turns negative beyond 32767."""

FAILS = {
    "scale_add_many": "output-not-written",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    short i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= 0 && i < n)
        out[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 255) // 256, 256, 0
