"""Assignment 2, the reference: a paged cache as functions over one plain state, written to be read.

``np`` is what the notebook's first cell imports.
"""


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    n_blocks = -(-n_tokens // block_size)
    rows = 2 * n_layers * n_kv_heads * n_blocks * block_size  # keys and values
    return rows * head_width * itemsize


def slots(table, start, stop, block_size):
    position = np.arange(start, stop)
    return np.array(table, int)[position // block_size] * block_size + position % block_size


def allocate(pool, n):
    refs, cached, found_by = pool["refs"], pool["cached"], pool["found_by"]
    unused = [b for b, count in enumerate(refs) if count == 0 and b not in cached]
    if n > len(unused) + len(cached):
        return None
    victims = cached[: max(0, n - len(unused))]
    del cached[: len(victims)]
    for key in [key for key, block in found_by.items() if block in victims]:
        del found_by[key]
    blocks = (unused + victims)[:n]
    for block in blocks:
        refs[block] = 1
    return blocks


def free(pool, blocks):
    refs, findable = pool["refs"], set(pool["found_by"].values())
    if any(refs[block] < blocks.count(block) for block in blocks):
        return None
    unheld = []
    for block in reversed(blocks):  # the end of a text is given up before what it builds on
        refs[block] -= 1
        if refs[block] == 0:
            unheld.append(block)
            if block in findable:
                pool["cached"].append(block)
    return unheld


def fork(pool, seq):
    if any(pool["refs"][block] == 0 for block in seq["table"]):
        return None
    for block in seq["table"]:
        pool["refs"][block] += 1
    return {"table": list(seq["table"]), "n": seq["n"]}


def append(pool, seq, k, v):
    size, table, n, n_new = pool["block_size"], seq["table"], seq["n"], k.shape[1]
    last = n // size  # the block that the first new row goes to
    open_end = n % size > 0 and n_new > 0
    shared = open_end and pool["refs"][table[last]] > 1
    n_blocks = -(-(n + n_new) // size) - len(table)
    fresh = allocate(pool, n_blocks + shared)
    if fresh is None:
        return None
    if shared:
        copy = fresh.pop(0)
        for part in ("k", "v"):
            pool[part][:, copy] = pool[part][:, table[last]]
        pool["refs"][table[last]] -= 1
        table[last] = copy
    elif open_end:  # what it is found by is not what it will hold
        for key in [key for key, block in pool["found_by"].items() if block == table[last]]:
            del pool["found_by"][key]
    table.extend(fresh)
    written = slots(table, n, n + n_new, size)
    for part, rows in (("k", k), ("v", v)):
        pool[part][:, written // size, written % size] = rows
    seq["n"] = n + n_new
    return written


def gather(pool, seq, layer):
    size = pool["block_size"]
    used = slots(seq["table"], 0, seq["n"], size)
    return tuple(pool[part][layer, used // size, used % size] for part in ("k", "v"))


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = -(-n // pool["block_size"])
    unheld = free(pool, seq["table"][keep:])
    del seq["table"][keep:]
    seq["n"] = n
    return unheld


def block_keys(tokens, block_size):
    keys, before = [], None
    for end in range(block_size, len(tokens) + 1, block_size):
        before = (before, tuple(int(t) for t in tokens[end - block_size : end]))
        keys.append(before)
    return keys


def publish(pool, seq, keys):
    n_full = seq["n"] // pool["block_size"]
    for key, block in zip(keys[:n_full], seq["table"]):
        if key not in pool["found_by"]:
            pool["found_by"][key] = block


def lookup(pool, keys):
    table = []
    for key in keys:
        block = pool["found_by"].get(key)
        if block is None:
            break
        if block in pool["cached"]:
            pool["cached"].remove(block)
        pool["refs"][block] += 1
        table.append(block)
    return {"table": table, "n": len(table) * pool["block_size"]}


def ring_append(ring, k, v):
    n, n_new, sinks = ring["n"], len(k), ring["n_sinks"]
    window = len(ring["k"]) - sinks
    position = np.arange(n, n + n_new)
    stays = (position < sinks) | (position >= n + n_new - window)
    position = position[stays]
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    ring["k"][cell], ring["v"][cell] = k[stays], v[stays]
    ring["n"] = n + n_new


def ring_read(ring):
    n, sinks = ring["n"], ring["n_sinks"]
    window = len(ring["k"]) - sinks
    first = np.arange(min(n, sinks))
    position = np.concatenate([first, np.arange(max(sinks, n - window), n)])
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    return ring["k"][cell], ring["v"][cell], position


def pad(seqs, block_size):
    width = max(len(seq["table"]) for seq in seqs)
    tables = np.zeros((len(seqs), width), int)
    mask = np.zeros((len(seqs), width * block_size), bool)
    for i, seq in enumerate(seqs):
        tables[i, : len(seq["table"])] = seq["table"]
        mask[i, : seq["n"]] = True
    return tables, mask


class KVCache:
    def __init__(self, pool):
        self.pool, self.seqs, self.tokens = pool, {}, {}
        self.n_started = 0

    def start(self, tokens):
        name, self.n_started = self.n_started, self.n_started + 1
        seq = lookup(self.pool, block_keys(tokens[:-1], self.pool["block_size"]))
        self.seqs[name], self.tokens[name] = seq, list(tokens[: seq["n"]])
        return name, seq["n"]

    def append(self, name, tokens, k, v):
        if append(self.pool, self.seqs[name], k, v) is None:
            return False
        self.tokens[name] += list(tokens)
        keys = block_keys(self.tokens[name], self.pool["block_size"])
        publish(self.pool, self.seqs[name], keys)
        return True

    def fork(self, name):
        child, self.n_started = self.n_started, self.n_started + 1
        self.seqs[child] = fork(self.pool, self.seqs[name])
        self.tokens[child] = list(self.tokens[name])
        return child

    def rewind(self, name, n):
        rewind(self.pool, self.seqs[name], n)
        del self.tokens[name][n:]

    def read(self, name, layer):
        return gather(self.pool, self.seqs[name], layer)

    def drop(self, name):
        free(self.pool, self.seqs.pop(name)["table"])
        del self.tokens[name]

    def state(self):
        return self.pool, self.seqs
