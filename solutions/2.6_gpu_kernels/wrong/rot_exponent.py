"""The 2 in the exponent is missing."""

FAILS = {
    "rotate_values": "rope-exponent",
    "rotate_decoding": "rope-exponent",
}


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
    int half = E / 2, thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= T * H * half)
        return;
    int i = thread % half, head = thread / half;
    float angle = positions[head / H] * powf(base, -1.0f * i / E);
    float c = cosf(angle), s = sinf(angle);
    float a = x[head * E + i], b = x[head * E + half + i];
    out[head * E + i] = a * c - b * s;
    out[head * E + half + i] = a * s + b * c;
}
"""


def rotate(T, H, E):
    return ROTATE, (T * H * (E // 2) + 127) // 128, 128, 0
