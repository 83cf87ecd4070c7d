"""A loop that no thread leaves."""

FAILS = {
    "scale_add_values": "kernel-endless",
    "scale_add_clean": "kernel-endless",
    "scale_add_many": "kernel-endless",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    while (i >= 0)
        i = i % n;
    if (i < n)
        out[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 255) // 256, 256, 0
