"""The last pairs have no thread."""

FAILS = {
    "rotate_values": "output-not-written",
    "findings_costs": "measured-other",
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
    out[head * E + half + i] = a * s + b * c;
}
"""


def rotate(T, H, E):
    return ROTATE, max(T * H * (E // 2) // 128, 1), 128, 0
