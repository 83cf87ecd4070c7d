// Greedy sampling: warps agree by exchanging registers.
// Five shuffles bring a warp's 32 candidates together without memory and without
// a barrier. One barrier is left, between the eight warps that write their winner
// and the one that compares these eight.
// Launch: a block of 256 for each row.

struct Candidate {
    float logit;
    int place;
};

__device__ Candidate better(Candidate a, Candidate b) {
    bool second = b.logit > a.logit || (b.logit == a.logit && b.place < a.place);
    return second ? b : a;
}

// The best of the first n lanes (a power of two), in lane 0; all 32 lanes must call it.
__device__ Candidate best_of(Candidate c, int n) {
    for (int d = n / 2; d > 0; d /= 2) {
        Candidate other;
        other.logit = __shfl_down_sync(0xffffffff, c.logit, d);
        other.place = __shfl_down_sync(0xffffffff, c.place, d);
        c = better(c, other);
    }
    return c;
}

extern "C" __global__ void argmax(const float* logits, int* out, int V) {
    __shared__ Candidate winners[8];
    const float* row = logits + (size_t)blockIdx.x * V;
    int t = threadIdx.x, lane = t % 32, first = t < V ? t : 0;
    Candidate mine = {row[first], first};
    for (int i = t + 256; i < V; i += 256) {
        Candidate next = {row[i], i};
        mine = better(mine, next);
    }
    mine = best_of(mine, 32);
    if (lane == 0)
        winners[t / 32] = mine;
    __syncthreads();
    if (t < 32) {
        mine = best_of(winners[lane % 8], 8);
        if (lane == 0)
            out[blockIdx.x] = mine.place;
    }
}
