// The operations of layer.hpp, each as one would write it down; nothing here is tuned.
#include "layer.hpp"

#include <cmath>

void rms_norm(const float *x, const float *weight, float eps, int T, int D, float *out) {
    for (int t = 0; t < T; ++t) {
        const float *row = x + t * D;
        float squares = 0;
        for (int d = 0; d < D; ++d) squares += row[d] * row[d];
        const float scale = 1 / std::sqrt(squares / D + eps);  // eps inside the root
        for (int d = 0; d < D; ++d) out[t * D + d] = row[d] * scale * weight[d];
    }
}

void matmul(const float *x, const float *weight, int T, int rows, int columns, float *out) {
    // The weight is the larger of the two: each of its rows is read once for all tokens.
    for (int r = 0; r < rows; ++r) {
        const float *w = weight + r * columns;
        for (int t = 0; t < T; ++t) {
            const float *row = x + t * columns;
            float sum = 0;
            for (int c = 0; c < columns; ++c) sum += row[c] * w[c];
            out[t * rows + r] = sum;
        }
    }
}

void rope(float *x, int first_position, int T, int heads, int E, float base) {
    for (int t = 0; t < T; ++t)
        for (int i = 0; i < E / 2; ++i) {
            // double: at position 100,000 a float has no digits left for the angle
            const double angle = (first_position + t) * std::pow(double(base), -2.0 * i / E);
            const float c = float(std::cos(angle)), s = float(std::sin(angle));
            for (int h = 0; h < heads; ++h) {
                float *pair = x + (t * heads + h) * E + 2 * i;
                const float a = pair[0], b = pair[1];
                pair[0] = a * c - b * s;
                pair[1] = a * s + b * c;
            }
        }
}

void attention(const float *q, const float *keys, const float *values, int T, int S, int H, int G,
               int E, float *out) {
    const float scale = 1 / std::sqrt(float(E));
    for (int t = 0; t < T; ++t)
        for (int h = 0; h < H; ++h) {
            const int g = h / (H / G);  // neighbours share a key/value head
            const float *query = q + (t * H + h) * E;
            float *gathered = out + (t * H + h) * E;
            for (int e = 0; e < E; ++e) gathered[e] = 0;
            float top = -INFINITY, sum = 0;
            for (int s = 0; s <= S - T + t; ++s) {  // itself and all before it
                const float *key = keys + (s * G + g) * E, *value = values + (s * G + g) * E;
                float score = 0;
                for (int e = 0; e < E; ++e) score += query[e] * key[e];
                score *= scale;
                const float now = score > top ? score : top;
                const float old = std::exp(top - now);  // what was summed under a smaller maximum
                const float weight = std::exp(score - now);
                sum = sum * old + weight;
                for (int e = 0; e < E; ++e) gathered[e] = gathered[e] * old + weight * value[e];
                top = now;
            }
            for (int e = 0; e < E; ++e) gathered[e] /= sum;
        }
}

void silu_mul(float *gate, const float *up, int n) {
    for (int i = 0; i < n; ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

static void add(float *x, const std::vector<float> &y) {
    for (size_t i = 0; i < y.size(); ++i) x[i] += y[i];
}

void layer(const Sizes &n, const Weights &w, Cache &cache, float *x, int T) {
    const int D = n.D, queries = n.H * n.E, stored = n.G * n.E, S = cache.tokens + T;
    std::vector<float> h(T * D), q(T * queries), a(T * queries), y(T * D);
    cache.keys.resize(S * stored);
    cache.values.resize(S * stored);
    float *k = cache.keys.data() + cache.tokens * stored;  // where the new ones go
    float *v = cache.values.data() + cache.tokens * stored;

    rms_norm(x, w.attn_norm, n.eps, T, D, h.data());
    matmul(h.data(), w.wq, T, queries, D, q.data());
    matmul(h.data(), w.wk, T, stored, D, k);
    matmul(h.data(), w.wv, T, stored, D, v);
    rope(q.data(), cache.tokens, T, n.H, n.E, n.base);
    rope(k, cache.tokens, T, n.G, n.E, n.base);  // once, before it is stored
    attention(q.data(), cache.keys.data(), cache.values.data(), T, S, n.H, n.G, n.E, a.data());
    matmul(a.data(), w.wo, T, D, queries, y.data());
    add(x, y);

    std::vector<float> gate(T * n.F), up(T * n.F);
    rms_norm(x, w.ffn_norm, n.eps, T, D, h.data());
    matmul(h.data(), w.w_gate, T, n.F, D, gate.data());
    matmul(h.data(), w.w_up, T, n.F, D, up.data());
    silu_mul(gate.data(), up.data(), T * n.F);
    matmul(gate.data(), w.w_down, T, D, n.F, y.data());
    add(x, y);
    cache.tokens = S;
}
