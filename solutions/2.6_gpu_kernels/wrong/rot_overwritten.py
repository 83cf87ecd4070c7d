"""The second number of a pair is made from the new first."""

FAILS = {
    "rotate_values": "rope-overwritten",
    "rotate_decoding": "rope-overwritten",
}


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
    int half = E / 2, thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= T * H * half)
        return;
    int i = thread % half, head = thread / half;
    float angle = positions[head / H] * powf(base, -2.0f * i / E);
    float c = cosf(angle), s = sinf(angle);
    float a = x[head * E + i], b = x[head * E + half + i];
    out[head * E + i] = a * c - b * s;
    out[head * E + half + i] = out[head * E + i] * s + b * c;
}
"""


def rotate(T, H, E):
    return ROTATE, (T * H * (E // 2) + 127) // 128, 128, 0
