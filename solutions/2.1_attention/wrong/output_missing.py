"""No output projection."""

FAILS = {
    "multi_head_grouped": "output-missing",
    "multi_head_single": "wrong-value",
}


def multi_head_attention(x, wq, wk, wv, wo, n_heads, n_kv_heads):
    q = split_heads(project(x, wq), n_heads)
    k, v = (split_heads(project(x, w), n_kv_heads) for w in (wk, wv))
    share = n_heads // n_kv_heads
    gathered = attend(q, k.repeat(share, axis=0), v.repeat(share, axis=0))
    return merge_heads(gathered)
