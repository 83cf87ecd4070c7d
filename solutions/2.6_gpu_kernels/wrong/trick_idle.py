"""Kernels that do nothing, and the truth about what they cost."""

FAILS = {
    "penalize_values": "output-not-written",
    "penalize_clean": "nothing-done",
    "penalize_traffic": "nothing-done",
    "rotate_values": "output-not-written",
    "rotate_decoding": "output-not-written",
    "rotate_clean": "nothing-done",
    "rotate_traffic": "nothing-done",
    "round_q8_values": "output-not-written",
    "round_q8_clean": "nothing-done",
    "round_q8_zeros": "output-not-written",
    "round_q8_traffic": "nothing-done",
    "cumulate_values": "output-not-written",
    "cumulate_clean": "nothing-done",
    "cumulate_traffic": "nothing-done",
    "findings_costs": "nothing-done",
}


PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
}
"""


def penalize(V, n):
    return PENALIZE, 1, 32, 0


ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
}
"""


def rotate(T, H, E):
    return ROTATE, 1, 32, 0


ROUND_Q8 = r"""
extern "C" __global__ void round_q8(const float* x, float* out, int n) {
}
"""


def round_q8(n):
    return ROUND_Q8, 1, 32, 0


CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
}
"""


def cumulate(T, V):
    return CUMULATE, 1, 32, 0


def findings():
    costs = [[0, 0, 0]] * 5
    return {
        "sectors": {"1": 4, "2": 8, "5": 20, "8": 32, "32": 32, "33": 32},
        "ways": {"1": 1, "2": 2, "5": 1, "8": 8, "32": 32, "33": 1},
        "costs": {"penalize": costs, "rotate": costs, "round_q8": costs, "cumulate": costs},
    }
