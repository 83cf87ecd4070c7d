"""Masks nothing."""

import numpy as np

FAILS = {
    "attention_mask": "mask-missing",
    "model_two_texts": "model-forgets-no-token",
}


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int = 0) -> np.ndarray:
    """Causal grouped attention of T queries from position start on over S keys."""
    n_new, n_heads, width = q.shape
    n_keys, n_groups = k.shape[:2]
    # (G, H/G * T, E): the heads of a group stand together and share its keys
    heads = q.reshape(n_new, n_groups, -1, width).transpose(1, 2, 0, 3)
    scores = heads.reshape(n_groups, -1, width) @ k.transpose(1, 2, 0) / np.sqrt(np.float32(width))
    scores = scores.reshape(n_groups, -1, n_new, n_keys)
    if n_new > n_keys:
        hidden = np.arange(n_keys) > start + np.arange(n_new)[:, None]
        scores = np.where(hidden, np.float32(-np.inf), scores)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    out = scores.reshape(n_groups, -1, n_keys) @ v.transpose(1, 0, 2)
    return out.reshape(n_heads, n_new, width).transpose(1, 0, 2)
