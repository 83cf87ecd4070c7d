"""Helpers, sets and generators; state is rebuilt rather than changed; floats in double width."""


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    from math import ceil

    per_token = 2 * n_layers * n_kv_heads * head_width * itemsize
    return per_token * block_size * ceil(n_tokens / block_size)


def slots(table, start, stop, block_size):
    return np.fromiter(
        (table[q] * block_size + r for q, r in (divmod(j, block_size) for j in range(start, stop))),
        dtype=np.int32,
    )


def unused_of(pool):
    return {b for b, count in enumerate(pool["refs"]) if not count} - set(pool["cached"])


def allocate(pool, n):
    import heapq

    unused = unused_of(pool)
    if len(unused | set(pool["cached"])) < n:
        return None
    blocks = heapq.nlargest(n, unused, key=lambda b: b * 7 % 11)
    while len(blocks) < n:
        victim, *pool["cached"] = pool["cached"]
        withdraw(pool, victim)
        blocks.append(victim)
    pool["refs"] = [1 if b in blocks else count for b, count in enumerate(pool["refs"])]
    return tuple(blocks)


def withdraw(pool, block):
    for key in {key for key, b in pool["found_by"].items() if b == block}:
        pool["found_by"].pop(key)


def free(pool, blocks):
    from collections import Counter

    times = Counter(blocks)
    if any(pool["refs"][b] < t for b, t in times.items()):
        return None
    pool["refs"] = [count - times[b] for b, count in enumerate(pool["refs"])]
    unheld = [b for b in dict.fromkeys(reversed(blocks)) if not pool["refs"][b]]
    pool["cached"] += [b for b in unheld if b in set(pool["found_by"].values())]
    return tuple(sorted(unheld))


def fork(pool, seq):
    table = seq["table"].copy()
    if not all(pool["refs"][b] for b in table):
        return None
    pool["refs"] = [count + table.count(b) for b, count in enumerate(pool["refs"])]
    return dict(seq, table=table)


def append(pool, seq, k, v):
    size, n = pool["block_size"], seq["n"]
    end = n + k.shape[1]
    if end == n:
        return np.zeros(0, int)
    room = len(seq["table"]) * size - n
    owner = pool["refs"][seq["table"][-1]] if room else 1
    fresh = allocate(pool, -(-max(0, end - n - room) // size) + (owner > 1))
    if fresh is None:
        return None
    fresh = list(fresh)
    if room and owner > 1:
        old, seq["table"][-1] = seq["table"][-1], fresh.pop(0)
        for memory in (pool["k"], pool["v"]):
            memory[:, seq["table"][-1]] = memory[:, old]
        free(pool, [old])
    elif room:
        withdraw(pool, seq["table"][-1])
    seq["table"] += fresh
    seq["n"] = end
    at = slots(seq["table"], n, end, size)
    for i, slot in enumerate(at):
        place = (slice(None), *divmod(int(slot), size))
        pool["k"][place], pool["v"][place] = k[:, i], v[:, i]
    return at


def gather(pool, seq, layer):
    def rows(memory):
        for b in seq["table"]:
            yield from memory[layer, b]

    def first(memory):
        out = [row for _, row in zip(range(seq["n"]), rows(memory))]
        return np.array(out, np.float64).reshape(-1, *memory.shape[3:])

    return first(pool["k"]), first(pool["v"])


def rewind(pool, seq, n):
    if not (0 <= n <= seq["n"]):
        return None
    kept = (n + pool["block_size"] - 1) // pool["block_size"]
    seq["table"], tail = seq["table"][:kept], seq["table"][kept:]
    seq.update(n=n)
    return free(pool, tail)


def block_keys(tokens, block_size):
    n_full = len(tokens) // block_size
    return [tuple(tokens[: (i + 1) * block_size]) for i in range(n_full)]


def publish(pool, seq, keys):
    for (i, key), block in zip(enumerate(keys, 1), seq["table"]):
        if i * pool["block_size"] > seq["n"]:
            return
        if pool["found_by"].get(key) is None:
            pool["found_by"][key] = block


def lookup(pool, keys):
    from itertools import takewhile

    table = [pool["found_by"][key] for key in takewhile(pool["found_by"].__contains__, keys)]
    for b in table:
        pool["refs"][b] += 1
        if b in pool["cached"]:
            pool["cached"].remove(b)
    return {"table": table, "n": pool["block_size"] * len(table)}


def cell_of(p, ring):
    s = ring["n_sinks"]
    return p if p < s else s + (p - s) % (len(ring["k"]) - s)


def ring_append(ring, k, v):
    for row_k, row_v in zip(k, v):
        cell = cell_of(ring["n"], ring)
        ring["k"][cell], ring["v"][cell] = row_k, row_v
        ring["n"] = ring["n"] + 1
    print("written", len(k))


def ring_read(ring):
    s, n = ring["n_sinks"], ring["n"]
    window = len(ring["k"]) - s
    keep = [*range(min(s, n)), *range(max(s, n - window), n)]
    cells = [cell_of(p, ring) for p in keep]
    return ring["k"][cells].astype(float), ring["v"][cells].astype(float), np.array(keep, np.int16)


def pad(seqs, block_size):
    width = max([len(s["table"]) for s in seqs] or [0])
    fill = next((s["table"][0] for s in seqs if len(s["table"])), 0)
    rows = [[*s["table"], *[fill] * (width - len(s["table"]))] for s in seqs]
    mask = np.zeros((len(seqs), width * block_size), np.bool_)
    for row, s in zip(mask, seqs):
        row[: s["n"]] = 1
    return rows, mask


class KVCache:
    def __init__(self, pool):
        self.pool = pool
        self.seqs = {}
        self.next_name = 1000

    def name(self, seq, tokens):
        self.next_name += 7
        self.seqs[self.next_name] = dict(seq, tokens=tuple(tokens))
        return self.next_name

    def start(self, tokens):
        import warnings

        warnings.warn("a new sequence")
        found = lookup(self.pool, block_keys(tokens[:-1], self.pool["block_size"]))
        return [self.name(found, tokens[: found["n"]]), found["n"]]

    def append(self, name, tokens, k, v):
        seq = self.seqs[name]
        if append(self.pool, seq, k, v) is None:
            return np.bool_(False)
        seq["tokens"] += tuple(tokens)
        publish(self.pool, seq, block_keys(seq["tokens"], self.pool["block_size"]))
        return np.bool_(True)

    def fork(self, name):
        parent = self.seqs[name]
        return self.name(fork(self.pool, parent), parent["tokens"])

    def rewind(self, name, n):
        rewind(self.pool, self.seqs[name], n)
        self.seqs[name]["tokens"] = self.seqs[name]["tokens"][:n]

    def read(self, name, layer):
        return gather(self.pool, self.seqs[name], layer)

    def drop(self, name):
        free(self.pool, self.seqs[name]["table"])
        del self.seqs[name]

    def state(self):
        return self.pool, self.seqs
