"""einsum throughout; online softmax in C++."""


def project(x, weight):
    return np.einsum("ti,oi->to", x, weight)


def split_heads(x, n_heads):
    return np.moveaxis(x.reshape(len(x), n_heads, -1), 1, 0)


def merge_heads(x):
    return np.moveaxis(x, 0, 1).reshape(x.shape[1], -1)


def attend(q, k, v):
    s = np.einsum("hte,hse->hts", q, k, dtype=np.float64) * q.shape[-1] ** -0.5
    s += np.triu(np.full(s.shape[1:], -np.inf), k.shape[1] - q.shape[1] + 1)
    s = np.exp(s - s.max(-1)[..., None])
    return np.einsum("hts,hse->hte", s / s.sum(-1)[..., None], v)


def multi_head_attention(x, wq, wk, wv, wo, n_heads, n_kv_heads):
    which = np.arange(n_heads) * n_kv_heads // n_heads
    q, k, v = (
        split_heads(project(x, w), n) for w, n in ((wq, n_heads), (wk, n_kv_heads), (wv, n_kv_heads))
    )
    return project(merge_heads(attend(q, k[which], v[which])), wo)


def attention_cpp():
    return r"""
#include <cmath>

extern "C" void attention(const float* q, const float* k, const float* v, float* out, int T, int S, int H, int G, int E) {
    const float scale = 1 / std::sqrt(float(E));
    for (int t = 0; t < T; ++t)
        for (int h = 0; h < H; ++h) {
            const float *a = q + (t * H + h) * E;
            float *y = out + (t * H + h) * E, top = -INFINITY, sum = 0;
            for (int e = 0; e < E; ++e) y[e] = 0;
            for (int s = 0; s < S - T + t + 1; ++s) {
                const float *b = k + (s * G + h / (H / G)) * E, *c = v + (s * G + h / (H / G)) * E;
                float x = 0;
                for (int e = 0; e < E; ++e) x += a[e] * b[e];
                x *= scale;
                const float now = x > top ? x : top;
                const float old = std::exp(top - now), w = std::exp(x - now);
                sum = sum * old + w;
                for (int e = 0; e < E; ++e) y[e] = y[e] * old + w * c[e];
                top = now;
            }
            for (int e = 0; e < E; ++e) y[e] /= sum;
        }
}
"""
