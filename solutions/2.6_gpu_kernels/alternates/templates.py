"""Templates, cooperative groups, lambdas: the same by other means of C++."""


PENALIZE = r"""
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

template <int N>
__device__ void count(int* used, const int* history, int n, int first) {
    for (int i = threadIdx.x; i < n; i += N)
        if (int place = history[i] - first; history[i] != -1 && place >= 0 && place < N)
            atomicAdd(used + place, 1);
}

extern "C" __global__ void __launch_bounds__(128)
penalize(const float* logits, const int* history, float* out, int V, int n, float alpha) {
    __shared__ int used[128];
    cg::thread_block block = cg::this_thread_block();
    used[block.thread_rank()] = 0;
    block.sync();
    count<128>(used, history, n, blockIdx.x * 128);
    block.sync();
    int v = blockIdx.x * 128 + block.thread_rank();
    if (v < V)
        out[v] = logits[v] - alpha * used[block.thread_rank()];
}
"""


def penalize(V, n):
    return PENALIZE, (V + 127) // 128, 128, 0


ROUND_Q8 = r"""
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;

extern "C" __global__ void round_q8(const float* x, float* out, int n) {
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float v = 0;
    if (i < n)
        v = x[i];
    float d = cg::reduce(warp, fabsf(v), cg::greater<float>()) / 127;
    auto back = [d](float y) { return d == 0 ? 0 : d * rintf(y / d); };
    if (i < n)
        out[i] = back(v);
}
"""


def round_q8(n):
    return ROUND_Q8, (n + 63) // 64, 64, 0


def findings() -> dict:
    """What this notebook measured; `lab report` wrote it."""
    return {'sectors': {'1': 4, '2': 8, '5': 20, '8': 32, '32': 32, '33': 32},
     'ways': {'1': 1, '2': 2, '5': 1, '8': 8, '32': 32, '33': 1},
     'costs': {'penalize': [[96, 2, 0], [480, 2, 1], [1536, 2, 6], [6080, 6, 19],
                            [15680, 10, 34]],
               'rotate': [[3808, 0, 0], [21760, 0, 0], [69632, 0, 0], [163200, 0, 0],
                          [301920, 0, 0]],
               'round_q8': [[64, 0, 0], [320, 0, 0], [1024, 0, 0], [2432, 0, 0],
                            [4480, 0, 0]],
               'cumulate': [[192, 32, 0], [640, 32, 0], [2048, 32, 0], [5440, 96, 0],
                            [10048, 160, 0]]}}
