"""Arrays for everything: counts are an int array, changes are made with np.add.at and masks."""


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    blocks = np.ceil(np.divide(n_tokens, block_size))
    return int(np.prod([2, n_layers, blocks, block_size, n_kv_heads, head_width, itemsize]))


def slots(table, start, stop, block_size):
    every = np.asarray(table, np.int64)[:, None] * block_size + np.arange(block_size)
    return every.reshape(-1)[start:stop]


def allocate(pool, n):
    refs = np.asarray(pool["refs"])
    unused = np.setdiff1d(np.flatnonzero(refs == 0), pool["cached"])
    blocks = np.concatenate([unused, np.asarray(pool["cached"], int)])[:n]
    if len(blocks) < n:
        return None
    n_victims = max(0, n - len(unused))
    gone = set(pool["cached"][:n_victims])
    pool["cached"] = pool["cached"][n_victims:]
    pool["found_by"] = {key: b for key, b in pool["found_by"].items() if b not in gone}
    refs[blocks] = 1
    pool["refs"] = refs
    return blocks


def free(pool, blocks):
    refs, blocks = np.array(pool["refs"]), np.asarray(blocks, int)
    before = refs > 0
    np.subtract.at(refs, blocks, 1)
    if (refs < 0).any():
        return None
    unheld = [int(b) for b in blocks[::-1] if refs[b] == 0 and before[b]]
    unheld = list(dict.fromkeys(unheld))
    pool["cached"] = [*pool["cached"], *(b for b in unheld if b in pool["found_by"].values())]
    pool["refs"] = refs
    return np.array(unheld, int)


def fork(pool, seq):
    refs = np.array(pool["refs"])
    if not refs[list(seq["table"])].all():
        return None
    np.add.at(refs, np.asarray(seq["table"], int), 1)
    pool["refs"] = refs.tolist()
    return {"table": np.array(seq["table"], int), "n": seq["n"]}


def append(pool, seq, k, v):
    B, n, T = pool["block_size"], seq["n"], k.shape[1]
    table = np.asarray(seq["table"], int)
    total = -(-(n + T) // B)
    touched = np.arange(n // B, len(table)) if T else np.arange(0)
    shared = touched[np.asarray(pool["refs"])[table[touched]] > 1]
    fresh = allocate(pool, total - len(table) + len(shared))
    if fresh is None:
        return None
    copies, more = fresh[: len(shared)], fresh[len(shared) :]
    if len(touched) and not len(shared):
        pool["found_by"] = {key: b for key, b in pool["found_by"].items() if b != table[-1]}
    refs = np.array(pool["refs"])
    for part in ("k", "v"):
        pool[part][:, copies] = pool[part][:, table[shared]]
    refs[table[shared]] -= 1
    pool["refs"] = refs
    table = table.copy()
    table[shared] = copies
    table = np.concatenate([table, more]).astype(int)
    seq["table"], seq["n"] = table, n + T
    where = slots(table, n, n + T, B)
    for part, rows in (("k", k), ("v", v)):
        flat = pool[part].reshape(len(k), -1, *k.shape[2:])
        flat[:, where] = rows
    return where


def gather(pool, seq, layer):
    table = np.asarray(seq["table"], int)
    return tuple(
        np.concatenate(pool[part][layer][table], axis=0)[: seq["n"]].copy()
        if len(table)
        else np.zeros((0, *pool[part].shape[3:]))
        for part in ("k", "v")
    )


def rewind(pool, seq, n):
    if n not in range(seq["n"] + 1):
        return None
    blocks = np.asarray(seq["table"], int)
    stays = np.arange(len(blocks)) * pool["block_size"] < n
    seq["table"], seq["n"] = blocks[stays], n
    return free(pool, blocks[~stays])


def block_keys(tokens, block_size):
    import hashlib

    keys, digest = [], b""
    whole = np.asarray(tokens, np.int64)[: len(tokens) // block_size * block_size]
    for row in whole.reshape(-1, block_size):
        digest = hashlib.sha256(digest + row.tobytes()).digest()
        keys.append(digest)
    return keys


def publish(pool, seq, keys):
    full = dict(zip(keys[: seq["n"] // pool["block_size"]], map(int, seq["table"])))
    pool["found_by"] = {**full, **pool["found_by"]}


def lookup(pool, keys):
    hits = np.array([key in pool["found_by"] for key in keys], bool)
    n = int(np.argmin(np.append(hits, False)))
    table = [pool["found_by"][key] for key in keys[:n]]
    refs = np.array(pool["refs"])
    np.add.at(refs, np.array(table, int), 1)
    pool["refs"] = refs
    pool["cached"] = np.array([b for b in pool["cached"] if b not in table], int)
    return {"table": np.array(table, int), "n": np.int64(n * pool["block_size"])}


def ring_append(ring, k, v):
    S, C = ring["n_sinks"], len(ring["k"])
    p = ring["n"] + np.arange(len(k))
    cell = np.where(p < S, p, (p - S) % (C - S) + S)
    last = {int(c): i for i, c in enumerate(cell)}  # of rows for one cell the last stays
    at, row = np.array(list(last)), np.array(list(last.values()))
    ring["k"][at], ring["v"][at] = k[row], v[row]
    ring["n"] = int(p[-1]) + 1


def ring_read(ring):
    S, C, n = ring["n_sinks"], len(ring["k"]), ring["n"]
    held = min(n, C)
    oldest = (n - S) % (C - S) if n > C else 0
    cell = np.concatenate([np.arange(min(S, held)), np.roll(np.arange(S, max(S, held)), -oldest)])
    position = np.concatenate([np.arange(min(S, n)), np.arange(n - max(0, held - S), n)])
    return ring["k"][cell], ring["v"][cell], position


def pad(seqs, block_size):
    counts = np.array([len(s["table"]) for s in seqs])
    lengths = np.array([s["n"] for s in seqs])
    tables = np.zeros((len(seqs), counts.max(initial=0)), np.int64)
    tables[np.arange(tables.shape[1]) < counts[:, None]] = [b for s in seqs for b in s["table"]]
    return tables, np.arange(tables.shape[1] * block_size) < lengths[:, None]


class KVCache:
    def __init__(self, pool):
        self.pool, self.live, self.text = pool, {}, {}
        self.numbers = iter(range(1 << 30))

    def start(self, tokens):
        seq = lookup(self.pool, block_keys(tokens[:-1], self.pool["block_size"]))
        return self._named(seq, tokens[: int(seq["n"])]), int(seq["n"])

    def _named(self, seq, tokens):
        name = "text %d" % next(self.numbers)
        self.live[name], self.text[name] = seq, np.array(tokens, np.int64)
        return name

    def append(self, name, tokens, k, v):
        done = append(self.pool, self.live[name], k, v) is not None
        if done:
            self.text[name] = np.concatenate([self.text[name], tokens])
            keys = block_keys(self.text[name], self.pool["block_size"])
            publish(self.pool, self.live[name], keys)
        return done

    def fork(self, name):
        return self._named(fork(self.pool, self.live[name]), self.text[name])

    def rewind(self, name, n):
        rewind(self.pool, self.live[name], n)
        self.text[name] = self.text[name][:n]

    def read(self, name, layer):
        return gather(self.pool, self.live[name], layer)

    def drop(self, name):
        free(self.pool, self.live.pop(name)["table"])

    def state(self):
        return self.pool, self.live
