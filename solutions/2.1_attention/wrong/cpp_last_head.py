"""The last head is left out."""

FAILS = {
    "cpp_text": "cpp-not-written",
    "cpp_last": "cpp-not-written",
    "cpp_large": "cpp-not-written",
    "cpp_odd": "cpp-not-written",
}


def attention_cpp():
    return r"""
#include <algorithm>
#include <cmath>
#include <vector>

extern "C" void attention(const float* q, const float* k, const float* v, float* out,
                          int T, int S, int H, int G, int E) {
    std::vector<float> weights(S);
    const float scale = 1.0f / std::sqrt(static_cast<float>(E));
    for (int t = 0; t < T; ++t) {
        const int n = t + S - T + 1;  // keys that this query sees
        for (int h = 0; h + 1 < H || (H == 1 && h < 1); ++h) {
            const int g = h / (H / G);
            const float* query = q + (t * H + h) * E;
            float top = -INFINITY;
            for (int s = 0; s < n; ++s) {
                const float* key = k + (s * G + g) * E;
                float dot = 0.0f;
                for (int e = 0; e < E; ++e) dot += query[e] * key[e];
                weights[s] = dot * scale;
                top = std::max(top, weights[s]);
            }
            float sum = 0.0f;
            for (int s = 0; s < n; ++s) {
                weights[s] = std::exp(weights[s] - top);
                sum += weights[s];
            }
            float* row = out + (t * H + h) * E;
            std::fill(row, row + E, 0.0f);
            for (int s = 0; s < n; ++s) {
                const float* value = v + (s * G + g) * E;
                const float w = weights[s] / sum;
                for (int e = 0; e < E; ++e) row[e] += w * value[e];
            }
        }
    }
}
"""
