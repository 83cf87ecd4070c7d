"""Key/value heads in turn."""

FAILS = {
    "multi_head_grouped": "groups-dealt",
}


def multi_head_attention(x, wq, wk, wv, wo, n_heads, n_kv_heads):
    q = split_heads(project(x, wq), n_heads)
    k, v = (split_heads(project(x, w), n_kv_heads) for w in (wk, wv))
    share = n_heads // n_kv_heads
    gathered = attend(q, np.tile(k, (share, 1, 1)), np.tile(v, (share, 1, 1)))
    return project(merge_heads(gathered), wo)
