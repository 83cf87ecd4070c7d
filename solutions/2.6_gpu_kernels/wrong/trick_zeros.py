"""Kernels that write zeros and read nothing."""

FAILS = {
    "penalize_values": "wrong-value",
    "penalize_clean": "nothing-done",
    "penalize_traffic": "nothing-done",
    "rotate_values": "wrong-value",
    "rotate_decoding": "wrong-value",
    "rotate_clean": "nothing-done",
    "rotate_traffic": "nothing-done",
    "round_q8_values": "wrong-value",
    "round_q8_clean": "nothing-done",
    "round_q8_zeros": "wrong-value",
    "round_q8_traffic": "nothing-done",
    "cumulate_values": "wrong-value",
    "cumulate_clean": "nothing-done",
    "cumulate_traffic": "nothing-done",
    "findings_costs": "nothing-done",
}


PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
    for (int i = threadIdx.x; i < V; i += 32)
        out[i] = 0;
}
"""


def penalize(V, n):
    return PENALIZE, 1, 32, 0


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
    for (int i = threadIdx.x; i < T * H * E; i += 32)
        out[i] = 0;
}
"""


def rotate(T, H, E):
    return ROTATE, 1, 32, 0


ROUND_Q8 = r"""
extern "C" __global__ void round_q8(const float* x, float* out, int n) {
    for (int i = threadIdx.x; i < n; i += 32)
        out[i] = 0;
}
"""


def round_q8(n):
    return ROUND_Q8, 1, 32, 0


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
    for (int i = threadIdx.x; i < T * V; i += 32)
        out[i] = 0;
}
"""


def cumulate(T, V):
    return CUMULATE, 1, 32, 0
