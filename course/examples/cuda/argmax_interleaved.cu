// Greedy sampling, the place of the largest of V logits: a tree whose partners
// move apart.
// In the first step threads 0, 2, 4, ... compare with their right neighbour, then
// 0, 4, 8, ... with the one two places on. In every step all warps have something
// to do, and most of their lanes nothing.
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
    for (int d = 1; d < 256; d *= 2) {
        if (t % (2 * d) == 0) {
            float other = best[t + d];
            // of equal ones the first, as on the CPU
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
