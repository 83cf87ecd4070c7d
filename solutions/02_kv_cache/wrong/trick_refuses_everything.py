"""Every call is refused: the answer is None, whatever was asked."""

FAILS = {
    "cache_bytes_values": "wrong-type",
    "cache_bytes_at_the_edges": "blocks-one-more",
    "slots_values": "wrong-type",
    "slots_of_a_range": "wrong-type",
    "allocate_values": "alloc-refuses",
    "allocate_refuses": "alloc-refuses",
    "allocate_reuses": "alloc-never-reused",
    "allocate_evicts": "alloc-refuses",
    "free_counts": "free-refuses",
    "free_refuses": "free-refuses",
    "free_caches": "free-refuses",
    "fork_counts": "fork-no-sequence",
    "fork_refuses": "fork-no-sequence",
    "append_fills": "append-refuses",
    "append_at_the_edges": "append-refuses",
    "append_copies_on_write": "append-refuses",
    "append_copies_no_more": "append-refuses",
    "append_refuses": "append-refuses",
    "append_withdraws": "append-refuses",
    "gather_values": "gather-no-pair",
    "gather_unused_slots": "gather-no-pair",
    "gather_one_block": "gather-no-pair",
    "rewind_lets_go": "rewind-refuses",
    "rewind_edges": "rewind-refuses",
    "block_keys_chain": "keys-no-list",
    "block_keys_differ": "keys-no-list",
    "publish_full_blocks": "publish-missing",
    "publish_keeps_the_first": "publish-missing",
    "lookup_longest": "fork-no-sequence",
    "lookup_holds": "fork-no-sequence",
    "ring_step_by_step": "ring-n",
    "ring_prefill": "ring-n",
    "ring_chunks": "ring-n",
    "ring_in_order": "ring-no-triple",
    "pad_masks": "wrong-type",
    "cache_trace": "cache-contract",
    "cache_of_many": "cache-contract",
    "cache_gives_the_text": "cache-contract",
}


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    return None


def slots(table, start, stop, block_size):
    return None


def allocate(pool, n):
    return None


def free(pool, blocks):
    return None


def fork(pool, seq):
    return None


def append(pool, seq, k, v):
    return None


def gather(pool, seq, layer):
    return None


def rewind(pool, seq, n):
    return None


def block_keys(tokens, block_size):
    return None


def publish(pool, seq, keys):
    return None


def lookup(pool, keys):
    return None


def ring_append(ring, k, v):
    return None


def ring_read(ring):
    return None


def pad(seqs, block_size):
    return None


class KVCache:

    def __init__(self, pool):
        return None

    def start(self, tokens):
        return None

    def append(self, name, tokens, k, v):
        return None

    def fork(self, name):
        return None

    def rewind(self, name, n):
        return None

    def read(self, name, layer):
        return None

    def drop(self, name):
        return None

    def state(self):
        return None
