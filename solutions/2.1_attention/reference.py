"""Attention in NumPy and in C++."""


def project(x, weight):
    return x @ weight.T


def split_heads(x, n_heads):
    T, width = x.shape
    return x.reshape(T, n_heads, width // n_heads).transpose(1, 0, 2)


def merge_heads(x):
    n, T, E = x.shape
    return x.transpose(1, 0, 2).reshape(T, n * E)


def attend(q, k, v):
    T, S, E = q.shape[1], k.shape[1], q.shape[2]
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(E)
    seen = np.arange(S) <= np.arange(T)[:, None] + S - T
    scores = np.where(seen, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ v


def multi_head_attention(x, wq, wk, wv, wo, n_heads, n_kv_heads):
    q = split_heads(project(x, wq), n_heads)
    k, v = (split_heads(project(x, w), n_kv_heads) for w in (wk, wv))
    share = n_heads // n_kv_heads
    gathered = attend(q, k.repeat(share, axis=0), v.repeat(share, axis=0))
    return project(merge_heads(gathered), wo)


def attention_cpp():
    return r"""
#include <algorithm>
#include <cmath>
#include <vector>  // weights

extern "C" void attention(const float* q, const float* k, const float* v, float* out, int T, int S, int H, int G, int E) {
    std::vector<float> weights(S);
    const float scale = 1.0f / std::sqrt(static_cast<float>(E));
    for (int t = 0; t < T; ++t) {
        const int n = t + S - T + 1;  // keys that this query sees
        for (int h = 0; h < H; ++h) {
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
