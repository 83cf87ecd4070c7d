"""Whichever layer is asked for, the first is read."""

import numpy as np

FAILS = {
    "cache_trace": "cache-wrong-rows",
    "cache_of_many": "cache-wrong-rows",
    "cache_gives_the_text": "cache-wrong-rows",
}


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
        return gather(self.pool, self.seqs[name], 0)

    def drop(self, name):
        free(self.pool, self.seqs.pop(name)["table"])
        del self.tokens[name]

    def state(self):
        return self.pool, self.seqs
