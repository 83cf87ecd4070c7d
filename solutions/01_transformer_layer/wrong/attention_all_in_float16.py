"""Nothing is widened: scores, softmax and sum are in the type of the input."""

import numpy as np

FAILS = {
    "attention_contract": "dtype-narrow",
}


def attention(q, k, v, mask):
    width, group = q.shape[2], q.shape[1] // k.shape[1]
    used = mask.any(axis=0)[:, None, None]  # a slot that nobody looks at may hold anything
    k = np.where(used, k, 0).repeat(group, axis=1)  # (S, H, E)
    v = np.where(used, v, 0).repeat(group, axis=1)
    scores = np.einsum("the,she->hts", q, k) / np.sqrt(width).astype(q.dtype)
    scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True)
    e = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=-1, keepdims=True)
    weights = e / np.where(total == 0, 1, total)  # a query that sees nothing: all zeros
    return np.einsum("hts,she->the", weights, v)
