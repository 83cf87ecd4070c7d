"""Two numbers in one load, also where a half begins at an odd place."""

FAILS = {
    "rotate_clean": "misaligned",
    "rotate_traffic": "not-coalesced",
    "findings_costs": "measured-other",
}


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
    int half = E / 2, threads = (half + 1) / 2, thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= T * H * threads)
        return;
    int i = 2 * (thread % threads), head = thread / threads;
    const float* low = x + head * E + i;
    float first[2] = {low[0], 0}, second[2] = {low[half], 0};
    if (i + 1 < half) {
        float2 a = *(const float2*)low, b = *(const float2*)(low + half);
        first[1] = a.y;
        second[1] = b.y;
    }
    for (int j = 0; j < 2 && i + j < half; j++) {
        float angle = positions[head / H] * powf(base, -2.0f * (i + j) / E);
        float c = cosf(angle), s = sinf(angle);
        out[head * E + i + j] = first[j] * c - second[j] * s;
        out[head * E + half + i + j] = first[j] * s + second[j] * c;
    }
}
"""


def rotate(T, H, E):
    return ROTATE, (T * H * ((E // 2 + 1) // 2) + 127) // 128, 128, 0
