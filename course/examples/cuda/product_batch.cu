// Eight sequences, and each weight that was read is used for all of them.
// A thread has eight sums in registers. This is what batching buys: eight tokens
// for the weights' traffic of one. What is left are the reads of x: a warp wants
// one number at a time, and gets a sector of eight for it, again and again.
// Launch: grid N / 128 rounded up, blocks of 128; T is 8.

extern "C" __global__ void product(const float* x, const float* w, float* out, int K, int N) {
    int n = blockIdx.x * 128 + threadIdx.x;
    if (n >= N)
        return;
    float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int k = 0; k < K; k++) {
        float weight = w[(size_t)k * N + n];
#pragma unroll
        for (int t = 0; t < 8; t++)
            sum[t] += x[t * K + k] * weight;
    }
#pragma unroll
    for (int t = 0; t < 8; t++)
        out[t * N + n] = sum[t];
}
