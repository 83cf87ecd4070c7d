"""Sharing of prefixes: what a full block of the cache is found by."""

from __future__ import annotations

from collections.abc import Hashable


def block_key(before: int, tokens: tuple[int, ...]) -> Hashable:
    """The key of a block that holds ``tokens`` and follows the block number ``before``."""
    return tokens
