// T queries over a cache of S keys, causal: three kernels, and all scores in
// global memory. q and out are (T, H, E), k and v (S, G, E), p (H, T, S); query t
// stands at S - T + t.
// The matrix of scores grows with T times S, is written three times and read four
// times. In the first kernel neighbours have neighbouring keys, which lie G E
// numbers apart; in the last all threads of a block want the same score, and a
// sector of eight comes for it.
// Launch: scores with grid (S / 128 rounded up, T, H), normalise with grid (T, H)
// and blocks of 32, mix with grid (T, H) and blocks of E.

extern "C" __global__ void scores(const float* q, const float* k, float* p, int T, int S, int H,
                                  int G, int E) {
    int s = blockIdx.x * 128 + threadIdx.x, t = blockIdx.y, h = blockIdx.z;
    if (s >= S)
        return;
    float dot = 0;
    for (int e = 0; e < E; e++)
        dot += q[(t * H + h) * E + e] * k[(s * G + h / (H / G)) * E + e];
    bool seen = s <= S - T + t;
    p[(h * T + t) * S + s] = seen ? dot * rsqrtf(E) : __int_as_float(0xff800000);
}

extern "C" __global__ void normalise(float* p, int T, int S) {
    float* row = p + (blockIdx.y * T + blockIdx.x) * S;
    float top = __int_as_float(0xff800000), total = 0;
    for (int s = threadIdx.x; s < S; s += 32)
        top = fmaxf(top, row[s]);
    for (int lane = 1; lane < 32; lane *= 2)
        top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, lane));
    for (int s = threadIdx.x; s < S; s += 32) {
        row[s] = expf(row[s] - top);
        total += row[s];
    }
    for (int lane = 1; lane < 32; lane *= 2)
        total += __shfl_xor_sync(0xffffffff, total, lane);
    for (int s = threadIdx.x; s < S; s += 32)
        row[s] /= total;
}

extern "C" __global__ void mix(const float* p, const float* v, float* out, int T, int S, int H,
                               int G, int E) {
    int t = blockIdx.x, h = blockIdx.y, e = threadIdx.x;
    float sum = 0;
    for (int s = 0; s < S; s++)
        sum += p[(h * T + t) * S + s] * v[(s * G + h / (H / G)) * E + e];
    out[(t * H + h) * E + e] = sum;
}
