"""Plain loops, no NumPy in the bookkeeping; the highest unused block first."""


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    total = 0
    while n_tokens > 0:
        total += 2 * n_layers * n_kv_heads * head_width * block_size * itemsize
        n_tokens -= block_size
    return total


def slots(table, start, stop, block_size):
    out = []
    for j in range(start, stop):
        block, offset = table[j // block_size], j % block_size
        out.append(block * block_size + offset)
    return out


def allocate(pool, n):
    taken = []
    for block in range(len(pool["refs"]) - 1, -1, -1):
        if len(taken) < n and pool["refs"][block] == 0 and block not in pool["cached"]:
            taken.append(block)
    n_victims = n - len(taken)
    if n_victims > len(pool["cached"]):
        return None
    for _ in range(n_victims):
        victim = pool["cached"].pop(0)
        for key in list(pool["found_by"]):
            if pool["found_by"][key] == victim:
                pool["found_by"].pop(key)
        taken.append(victim)
    for block in taken:
        pool["refs"][block] += 1
    return taken


def free(pool, blocks):
    left = list(pool["refs"])
    for block in blocks:
        left[block] -= 1
        if left[block] < 0:
            return None
    gone = []
    for i in range(len(blocks) - 1, -1, -1):
        block = blocks[i]
        pool["refs"][block] -= 1
        if pool["refs"][block] == 0:
            gone.insert(0, block)
            for known in pool["found_by"].values():
                if known == block:
                    pool["cached"].append(block)
                    break
    return gone


def fork(pool, seq):
    for block in seq["table"]:
        if pool["refs"][block] < 1:
            return None
    child = {"table": [], "n": seq["n"]}
    for block in seq["table"]:
        child["table"].append(block)
        pool["refs"][block] += 1
    return child


def append(pool, seq, k, v):
    B, n, T = pool["block_size"], seq["n"], k.shape[1]
    if T == 0:
        return []
    wanted = 0
    for j in range(n, n + T):
        if j % B == 0:
            wanted += 1
    must_copy = n % B != 0 and pool["refs"][seq["table"][-1]] > 1
    if must_copy:
        wanted += 1
    blocks = allocate(pool, wanted)
    if blocks is None:
        return None
    if must_copy:
        old, new = seq["table"][-1], blocks.pop(0)
        for layer in range(len(pool["k"])):
            for offset in range(n % B):
                pool["k"][layer, new, offset] = pool["k"][layer, old, offset]
                pool["v"][layer, new, offset] = pool["v"][layer, old, offset]
        pool["refs"][old] -= 1
        seq["table"][-1] = new
    elif n % B != 0:
        mine = seq["table"][-1]
        pool["found_by"] = {key: b for key, b in pool["found_by"].items() if b != mine}
    out = []
    for i in range(T):
        if (n + i) % B == 0:
            seq["table"].append(blocks.pop(0))
        block, offset = seq["table"][-1], (n + i) % B
        for layer in range(len(pool["k"])):
            pool["k"][layer, block, offset] = k[layer, i]
            pool["v"][layer, block, offset] = v[layer, i]
        out.append(block * B + offset)
    seq["n"] += T
    return out


def gather(pool, seq, layer):
    B = pool["block_size"]
    k = np.zeros((seq["n"], *pool["k"].shape[3:]), np.float64)
    v = np.zeros_like(k)
    for j in range(seq["n"]):
        k[j] = pool["k"][layer, seq["table"][j // B], j % B]
        v[j] = pool["v"][layer, seq["table"][j // B], j % B]
    return [k, v]


def rewind(pool, seq, n):
    if n < 0 or n > seq["n"]:
        return None
    dropped = []
    while (len(seq["table"]) - 1) * pool["block_size"] >= n and seq["table"]:
        dropped.insert(0, seq["table"].pop())
    seq["n"] = n
    return free(pool, dropped)


def block_keys(tokens, block_size):
    keys = []
    for i in range(len(tokens) // block_size):
        keys.append(",".join(str(t) for t in tokens[: (i + 1) * block_size]))
    return keys


def publish(pool, seq, keys):
    for i in range(len(keys)):
        if (i + 1) * pool["block_size"] <= seq["n"]:
            pool["found_by"].setdefault(keys[i], seq["table"][i])


def lookup(pool, keys):
    seq = {"table": [], "n": 0}
    for key in keys:
        if key not in pool["found_by"]:
            return seq
        block = pool["found_by"][key]
        pool["refs"][block] += 1
        pool["cached"] = [b for b in pool["cached"] if b != block]
        seq["table"].append(block)
        seq["n"] += pool["block_size"]
    return seq


def ring_append(ring, k, v):
    S = ring["n_sinks"]
    W = len(ring["k"]) - S
    for i in range(len(k)):
        p = ring["n"]
        cell = p if p < S else S + (p - S) % W
        ring["k"][cell] = k[i]
        ring["v"][cell] = v[i]
        ring["n"] += 1


def ring_read(ring):
    S, n = ring["n_sinks"], ring["n"]
    W = len(ring["k"]) - S
    k, v, positions = [], [], []
    for p in range(n):
        if p < S or p >= n - W:
            cell = p if p < S else S + (p - S) % W
            k.append(ring["k"][cell])
            v.append(ring["v"][cell])
            positions.append(p)
    shape = (len(k), *ring["k"].shape[1:])
    return np.array(k).reshape(shape), np.array(v).reshape(shape), positions


def pad(seqs, block_size):
    widest = 0
    for seq in seqs:
        widest = max(widest, len(seq["table"]))
    tables = [list(seq["table"]) + [0] * (widest - len(seq["table"])) for seq in seqs]
    mask = [[j < seq["n"] for j in range(widest * block_size)] for seq in seqs]
    return np.array(tables, np.int32), np.array(mask, bool)


class KVCache:
    def __init__(self, pool):
        self.pool = pool
        self.rows = []  # a name is a place in this list; a dropped one is None

    def start(self, tokens):
        B = self.pool["block_size"]
        keys = block_keys(tokens, B)
        seq = lookup(self.pool, keys[: (len(tokens) - 1) // B])
        self.rows.append((seq, list(tokens[: seq["n"]])))
        return len(self.rows) - 1, seq["n"]

    def append(self, name, tokens, k, v):
        seq, text = self.rows[name]
        if append(self.pool, seq, k, v) is None:
            return False
        text.extend(tokens)
        publish(self.pool, seq, block_keys(text, self.pool["block_size"]))
        return True

    def fork(self, name):
        seq, text = self.rows[name]
        self.rows.append((fork(self.pool, seq), text[:]))
        return len(self.rows) - 1

    def rewind(self, name, n):
        seq, text = self.rows[name]
        rewind(self.pool, seq, n)
        while len(text) > n:
            text.pop()

    def read(self, name, layer):
        return gather(self.pool, self.rows[name][0], layer)

    def drop(self, name):
        free(self.pool, self.rows[name][0]["table"])
        self.rows[name] = None

    def state(self):
        return self.pool, {i: row[0] for i, row in enumerate(self.rows) if row is not None}
