"""The function gives the source alone."""

FAILS = {
    "scale_add_values": "plan-shape",
    "scale_add_clean": "plan-shape",
    "scale_add_many": "plan-shape",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = a * x[i] + y[i];
}
"""


def scale_add(n):
    return SCALE_ADD
