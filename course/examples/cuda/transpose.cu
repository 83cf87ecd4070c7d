// A cache's keys turned over, (S, E) to (E, S): straight from one array to the
// other.
// Reading is fine, a warp takes a row's neighbours; but what it writes lies a
// whole row apart, so each of its 32 numbers costs a sector. Whichever way round
// the threads stand, one side is like that.
// Launch: a thread for each number, blocks of (32, 8), a block does four of its
// rows of threads.

extern "C" __global__ void transpose(const float* k, float* out, int S, int E) {
    int e = blockIdx.x * 32 + threadIdx.x;
    for (int j = threadIdx.y; j < 32; j += 8) {
        int s = blockIdx.y * 32 + j;
        if (s < S && e < E)
            out[(size_t)e * S + s] = k[(size_t)s * E + e];
    }
}
