"""Grouped-query attention: several query heads share a key/value head."""

from __future__ import annotations


def kv_head(head: int, n_heads: int, n_kv_heads: int) -> int:
    """Which key/value head the query head reads."""
    return head % n_kv_heads
