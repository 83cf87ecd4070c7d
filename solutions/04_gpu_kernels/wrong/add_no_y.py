"""y is left out."""

FAILS = {
    "scale_add_values": "scale-add-no-y",
    "scale_add_many": "scale-add-no-y",
}

SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = a * x[i];
}
"""


def scale_add(n):
    return SCALE_ADD, (n + 255) // 256, 256, 0
