// layer IN OUT [CHUNK]: one layer over the tokens of a file, CHUNK of them at a time (all unless
// given). With a CHUNK of 1 it decodes: the result is the same, for the cache has what came before.
//
// IN: int32 T D H G E F, float32 eps base, then float32 arrays: x (T, D), attn_norm, wq, wk, wv, wo,
// ffn_norm, w_gate, w_up, w_down. OUT: float32 (T, D). Little endian, as everything in the course.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "layer.hpp"

static std::vector<float> take(std::FILE *file, size_t n) {
    std::vector<float> x(n);
    if (std::fread(x.data(), sizeof(float), n, file) != n) {
        std::fprintf(stderr, "layer: the file ends too soon\n");
        std::exit(1);
    }
    return x;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: layer IN OUT [CHUNK]\n");
        return 2;
    }
    std::FILE *in = std::fopen(argv[1], "rb");
    int head[6];
    float numbers[2];
    if (!in || std::fread(head, sizeof head, 1, in) != 1 ||
        std::fread(numbers, sizeof numbers, 1, in) != 1) {
        std::fprintf(stderr, "layer: cannot read %s\n", argv[1]);
        return 1;
    }
    const int T = head[0];
    const Sizes n{head[1], head[2], head[3], head[4], head[5], numbers[0], numbers[1]};
    for (int size : head)
        if (size < 1 || size > 1 << 16) {
            std::fprintf(stderr, "layer: a size of %d\n", size);
            return 1;
        }
    const size_t D = n.D, HE = size_t(n.H) * n.E, GE = size_t(n.G) * n.E, F = n.F;
    std::vector<float> x = take(in, T * D);
    const auto attn_norm = take(in, D), wq = take(in, HE * D), wk = take(in, GE * D),
               wv = take(in, GE * D), wo = take(in, D * HE), ffn_norm = take(in, D),
               w_gate = take(in, F * D), w_up = take(in, F * D), w_down = take(in, D * F);
    std::fclose(in);
    const Weights w{attn_norm.data(), wq.data(),     wk.data(),   wv.data(),    wo.data(),
                    ffn_norm.data(),  w_gate.data(), w_up.data(), w_down.data()};

    Cache cache;
    const int chunk = argc > 3 ? std::max(1, std::atoi(argv[3])) : T;
    for (int t = 0; t < T; t += chunk) layer(n, w, cache, x.data() + t * D, std::min(chunk, T - t));

    std::FILE *out = std::fopen(argv[2], "wb");
    if (!out || std::fwrite(x.data(), sizeof(float), x.size(), out) != x.size() || std::fclose(out)) {
        std::fprintf(stderr, "layer: cannot write %s\n", argv[2]);
        return 1;
    }
    return 0;
}
