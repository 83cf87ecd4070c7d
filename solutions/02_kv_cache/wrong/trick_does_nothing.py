"""Every function returns something of the right kind and does nothing."""

import numpy as np

FAILS = {
    "cache_bytes_values": "wrong-value",
    "cache_bytes_at_the_edges": "blocks-one-more",
    "slots_values": "wrong-value",
    "slots_of_a_range": "wrong-value",
    "allocate_values": "alloc-count",
    "allocate_refuses": "alloc-too-many",
    "allocate_reuses": "alloc-count",
    "allocate_evicts": "alloc-count",
    "free_counts": "free-uncounted",
    "free_refuses": "free-twice",
    "free_caches": "free-uncounted",
    "fork_counts": "fork-uncounted",
    "fork_refuses": "fork-of-free",
    "append_fills": "append-length",
    "append_at_the_edges": "append-length",
    "append_copies_on_write": "append-length",
    "append_copies_no_more": "append-length",
    "append_refuses": "append-too-much",
    "append_withdraws": "append-length",
    "gather_values": "gather-no-pair",
    "gather_unused_slots": "gather-no-pair",
    "gather_one_block": "gather-no-pair",
    "rewind_lets_go": "rewind-length",
    "rewind_edges": "rewind-length",
    "block_keys_chain": "keys-collide",
    "block_keys_differ": "keys-collide",
    "publish_full_blocks": "publish-missing",
    "publish_keeps_the_first": "publish-missing",
    "lookup_longest": "lookup-shorter",
    "lookup_holds": "lookup-shorter",
    "ring_step_by_step": "ring-n",
    "ring_prefill": "ring-n",
    "ring_chunks": "ring-n",
    "ring_in_order": "ring-positions-from-length",
    "pad_masks": "pad-tables",
    "cache_trace": "cache-contract",
    "cache_of_many": "cache-contract",
    "cache_gives_the_text": "wrong-type",
}


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    return 0


def slots(table, start, stop, block_size):
    return np.zeros(stop - start, int)


def allocate(pool, n):
    return []


def free(pool, blocks):
    return []


def fork(pool, seq):
    return seq


def append(pool, seq, k, v):
    return []


def gather(pool, seq, layer):
    return None


def rewind(pool, seq, n):
    return []


def block_keys(tokens, block_size):
    return list(range(len(tokens) // block_size))


def publish(pool, seq, keys):
    return None


def lookup(pool, keys):
    return {"table": [], "n": 0}


def ring_append(ring, k, v):
    return None


def ring_read(ring):
    return ring["k"], ring["v"], np.arange(len(ring["k"]))


def pad(seqs, block_size):
    return np.zeros((len(seqs), 3), int), np.zeros((len(seqs), 12), bool)


class KVCache:
    def __init__(self, pool):
        self.pool = pool

    def start(self, tokens):
        return 0, 0

    def append(self, name, tokens, k, v):
        return True

    def fork(self, name):
        return 1

    def rewind(self, name, n):
        return None

    def read(self, name, layer):
        return np.zeros(0), np.zeros(0)

    def drop(self, name):
        return None

    def state(self):
        return self.pool, {}
