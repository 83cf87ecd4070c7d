"""A thread turns a whole head."""

FAILS = {
    "rotate_traffic": "not-coalesced",
    "findings_costs": "measured-other",
}


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
    int head = blockIdx.x * blockDim.x + threadIdx.x, half = E / 2;
    if (head >= T * H)
        return;
    for (int i = 0; i < half; i++) {
        float angle = positions[head / H] * powf(base, -2.0f * i / E);
        float a = x[head * E + i], b = x[head * E + half + i];
        out[head * E + i] = a * cosf(angle) - b * sinf(angle);
        out[head * E + half + i] = a * sinf(angle) + b * cosf(angle);
    }
}
"""


def rotate(T, H, E):
    return ROTATE, (T * H + 127) // 128, 128, 0
