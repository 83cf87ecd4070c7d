"""threadIdx.x without the block: all blocks do the same 256 numbers."""

FAILS = {
    "scale_add_values": "output-not-written",
    "scale_add_clean": "nothing-done",
    "scale_add_many": "output-not-written",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = threadIdx.x;
    if (i < n)
        out[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 255) // 256, 256, 0
