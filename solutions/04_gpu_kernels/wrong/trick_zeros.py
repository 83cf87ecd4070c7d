"""Kernels that fill the output with zeros."""

FAILS = {
    "scale_add_values": "wrong-value",
    "scale_add_clean": "nothing-done",
    "scale_add_many": "wrong-value",
    "rms_norm_values": "wrong-value",
    "rms_norm_clean": "nothing-done",
    "rms_norm_eps": "wrong-value",
    "rms_norm_traffic": "nothing-done",
    "softmax_values": "wrong-value",
    "softmax_clean": "nothing-done",
    "softmax_far": "wrong-value",
    "softmax_traffic": "nothing-done",
    "matmul_values": "wrong-value",
    "matmul_clean": "nothing-done",
    "matmul_traffic": "nothing-done",
    "matvec_q8_0_values": "wrong-value",
    "matvec_q8_0_clean": "nothing-done",
    "matvec_q8_0_traffic": "nothing-done",
    "matvec_q4_0_values": "wrong-value",
    "matvec_q4_0_clean": "nothing-done",
    "matvec_q4_0_traffic": "nothing-done",
    "attention_values": "wrong-value",
    "attention_clean": "nothing-done",
    "attention_low": "wrong-value",
    "attention_traffic": "nothing-done",
}


SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        out[i] = 0;
}
"""


def scale_add(n):
    return SCALE_ADD, 1, 64, 0


RMS_NORM = r"""
extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
    for (int i = threadIdx.x; i < T * D; i += blockDim.x)
        out[i] = 0;
}
"""


def rms_norm(T, D):
    return RMS_NORM, 1, 64, 0


SOFTMAX = r"""
extern "C" __global__ void softmax(const float* x, float* out, int T, int S) {
    for (int i = threadIdx.x; i < T * S; i += blockDim.x)
        out[i] = 0;
}
"""


def softmax(T, S):
    return SOFTMAX, 1, 64, 0


MATMUL = r"""
extern "C" __global__ void matmul(const float* x, const float* w, float* out, int T, int K, int N) {
    for (int i = threadIdx.x; i < T * N; i += blockDim.x)
        out[i] = 0;
}
"""


def matmul(T, K, N):
    return MATMUL, 1, 64, 0


MATVEC_Q8_0 = r"""
extern "C" __global__ void matvec_q8_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    for (int i = threadIdx.x; i < N; i += blockDim.x)
        y[i] = 0;
}
"""


def matvec_q8_0(N, K):
    return MATVEC_Q8_0, 1, 64, 0


MATVEC_Q4_0 = r"""
extern "C" __global__ void matvec_q4_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
    for (int i = threadIdx.x; i < N; i += blockDim.x)
        y[i] = 0;
}
"""


def matvec_q4_0(N, K):
    return MATVEC_Q4_0, 1, 64, 0


ATTENTION = r"""
extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
    for (int i = threadIdx.x; i < H * E; i += blockDim.x)
        out[i] = 0;
}
"""


def attention(L, H, G, E, B):
    return ATTENTION, 1, 64, 0
