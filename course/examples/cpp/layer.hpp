// One layer of the llama architecture in plain C++17: no library but the standard one.
//
// Owns: the operations and their order. Must not know: files, formats, tokens.
// Every array is row-major float. Shape letters, as everywhere in the course:
//   T tokens of this pass   S tokens stored   D width   H query heads   G key/value heads
//   E width of a head       F width of the feed-forward part
#pragma once

#include <vector>

struct Sizes {
    int D, H, G, E, F;
    float eps, base;  // of the norm; of the rotation
};

struct Weights {  // (out, in): row o is what output o reads
    const float *attn_norm;                      // (D)
    const float *wq, *wk, *wv;                   // (H E, D), (G E, D), (G E, D)
    const float *wo;                             // (D, H E)
    const float *ffn_norm;                       // (D)
    const float *w_gate, *w_up, *w_down;         // (F, D), (F, D), (D, F)
};

// The keys, rotated, and the values of all tokens so far: (S, G, E) each, growing at the end.
struct Cache {
    std::vector<float> keys, values;
    int tokens = 0;
};

// x (T, D) goes through the layer in place; its tokens come after those in the cache and join them.
void layer(const Sizes &n, const Weights &w, Cache &cache, float *x, int T);

// The parts, in the order of their use.

// out = x / sqrt(mean(x^2) + eps) * weight, for each of T rows of D
void rms_norm(const float *x, const float *weight, float eps, int T, int D, float *out);

// out (T, rows) = x (T, columns) times weight (rows, columns) transposed
void matmul(const float *x, const float *weight, int T, int rows, int columns, float *out);

// Turn pairs (2i, 2i + 1) of each head by position * base^(-2i / E), in place: (T, heads, E)
void rope(float *x, int first_position, int T, int heads, int E, float base);

// Causal attention of the last T of S tokens: q (T, H, E), keys and values (S, G, E) -> (T, H, E).
// The softmax is taken as the keys come, with its maximum and sum carried along (FlashAttention).
void attention(const float *q, const float *keys, const float *values, int T, int S, int H, int G,
               int E, float *out);

// gate = silu(gate) * up, for n numbers
void silu_mul(float *gate, const float *up, int n);
