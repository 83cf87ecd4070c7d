// The same by FlashAttention: eight queries share each tile of keys and values,
// and no row is kept.
// A warp has a query, its lanes the 32 keys of a tile. When a tile brings a
// larger score than all before it, what was summed is made smaller once for the
// whole tile. Shared memory is the same for any S, and what crosses the bus falls
// by the number of queries that share a tile. Dao et al. 2022, "FlashAttention",
// algorithm 1; there tiles are larger and products are by matrix units.
// Launch: grid (T / 8 rounded up, H), blocks of (32, 8); E is 64.

#define E 64

extern "C" __global__ void attention(const float* q, const float* k, const float* v, float* out,
                                     int T, int S, int H, int G) {
    __shared__ float qs[8][E], ks[32][E + 1], vs[32][E];  // + 1: lanes read a column, all banks
    int lane = threadIdx.x, t = blockIdx.x * 8 + threadIdx.y, h = blockIdx.y, g = h / (H / G);
    int me = threadIdx.y * 32 + lane, seen = S - T + t;  // the last key that this query may see
    for (int e = lane; e < E; e += 32)
        qs[threadIdx.y][e] = t < T ? q[(t * H + h) * E + e] * rsqrtf(E) : 0;
    float top = __int_as_float(0xff800000), total = 0, mixed[2] = {0, 0};
    int last = min(S, S - T + (int)blockIdx.x * 8 + 8);  // no query of this block looks further
    for (int first = 0; first < last; first += 32) {
        __syncthreads();  // the tile before this one has been used
        for (int i = me; i < 32 * E; i += 256) {
            int s = first + i / E, e = i % E;
            ks[i / E][e] = s < S ? k[(s * G + g) * E + e] : 0;
            vs[i / E][e] = s < S ? v[(s * G + g) * E + e] : 0;
        }
        __syncthreads();
        float dot = 0;
        for (int e = 0; e < E; e++)
            dot += qs[threadIdx.y][e] * ks[lane][e];
        if (first + lane > seen || first + lane >= S)
            dot = __int_as_float(0xff800000);
        float tile_top = dot;
        for (int d = 1; d < 32; d *= 2)
            tile_top = fmaxf(tile_top, __shfl_xor_sync(0xffffffff, tile_top, d));
        float before = top;
        top = fmaxf(top, tile_top);  // finite: the first tile has key 0, which everybody sees
        float shrink = expf(before - top), weight = expf(dot - top), tile_total = weight;
        for (int d = 1; d < 32; d *= 2)
            tile_total += __shfl_xor_sync(0xffffffff, tile_total, d);
        total = total * shrink + tile_total;
        mixed[0] *= shrink;
        mixed[1] *= shrink;
        for (int j = 0; j < 32; j++) {
            float w = __shfl_sync(0xffffffff, weight, j);
            mixed[0] += w * vs[j][lane];
            mixed[1] += w * vs[j][lane + 32];
        }
    }
    if (t < T) {
        out[(t * H + h) * E + lane] = mixed[0] / total;
        out[(t * H + h) * E + lane + 32] = mixed[1] / total;
    }
}
