// Greedy sampling: a tree whose partners move together.
// The first half of the threads compares with the second half, then the first
// quarter with the second. Those that have work are neighbours, so whole warps
// are busy and whole warps are done.
// Launch: a block of 256 for each row.

extern "C" __global__ void argmax(const float* logits, int* out, int V) {
    __shared__ float best[256];
    __shared__ int place[256];
    const float* row = logits + (size_t)blockIdx.x * V;
    int t = threadIdx.x, mine = t < V ? t : 0;
    float top = row[mine];
    for (int i = t + 256; i < V; i += 256) {
        float x = row[i];
        if (x > top) {
            top = x;
            mine = i;
        }
    }
    best[t] = top;
    place[t] = mine;
    __syncthreads();
    for (int d = 128; d > 0; d /= 2) {
        if (t < d) {
            float other = best[t + d];
            if (other > best[t] || (other == best[t] && place[t + d] < place[t])) {
                best[t] = other;
                place[t] = place[t + d];
            }
        }
        __syncthreads();
    }
    if (t == 0)
        out[blockIdx.x] = place[0];
}
