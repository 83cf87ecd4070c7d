"""Scores are multiplied by the mask; a zero score is not nothing."""

import numpy as np

FAILS = {
    "attention_mask": "mask-multiplied",
    "attention_scores_of_any_size": "mask-multiplied",
    "attention_unused_slots": "mask-multiplied",
    "attention_blind_query": "blind-query-finite",
}


def attention(q, k, v, mask):
    width, group = q.shape[2], q.shape[1] // k.shape[1]
    used = mask.any(axis=0)[:, None, None]  # a slot that nobody looks at may hold anything
    k = np.where(used, k, 0).astype(np.float32).repeat(group, axis=1)  # (S, H, E)
    v = np.where(used, v, 0).astype(np.float32).repeat(group, axis=1)
    scores = np.einsum("the,she->hts", q.astype(np.float32), k) / np.float32(np.sqrt(width))
    scores = scores * mask
    top = scores.max(axis=-1, keepdims=True)
    e = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=-1, keepdims=True)
    weights = e / np.where(total == 0, 1, total)  # a query that sees nothing: all zeros
    return np.einsum("hts,she->the", weights, v)
