"""Checks of assignment 2: the parts together, against a model that is a dict of texts.

Owns: the checks of KVCache: a story told step by step, a text generated through it and through the
engine's own cache, a long random history. Must not know: solutions, sandboxes, seeds. Read before:
handout.py (the contract), scene.py.

The model of a cache is what it is for: a name stands for a text, and reading gives the rows that
the network makes of that text. A row depends on all tokens up to its own, as a real one does, so a
block that is shared, copied or found where it should not be shows in what is read.
"""

from __future__ import annotations

import functools
import zlib
from typing import Any

import numpy as np
from blocks import ALLOCATE, APPEND, FORK, FREE, SLOTS, on_parts
from reading import GATHER, REWIND
from reuse import PREFIXES
from scene import (
    EXACT,
    LAYERS,
    PARTS,
    B,
    E,
    G,
    blocks_for,
    difference,
    ints,
    recount,
    scene,
    stored,
)

from autograder.checks import check, close, require
from minengine import oracle
from minengine.cells import Cells
from minengine.kvcache import BlockPool

ROWS = EXACT | {"axes": ("layer", "token", "head", "dimension")}


@functools.lru_cache(4096)
def row_of(past: tuple[int, ...]) -> np.ndarray:
    """Keys and values of the last of some tokens: (2, LAYERS, G, E)."""
    seed = zlib.crc32(np.array(past, np.int64).tobytes())
    return np.random.default_rng(seed).standard_normal((2, LAYERS, G, E), np.float32)


def network(tokens: list[int], start: int) -> np.ndarray:
    """Keys and values of tokens[start:]: float32 (2, LAYERS, n, G, E), each of its whole past."""
    rows = np.zeros((2, LAYERS, len(tokens) - start, G, E), np.float32)
    for i in range(start, len(tokens)):
        rows[:, :, i - start] = row_of(tuple(tokens[: i + 1]))
    return rows


class Story:
    """A student's cache and the dict of texts beside it; every step is judged."""

    def __init__(self, student: Any, rng: np.random.Generator, n_blocks: int) -> None:
        self.cache = student.KVCache(scene(rng, n_unused=n_blocks).pool)
        self.n_blocks = n_blocks
        self.texts: dict[Any, list[int]] = {}

    def start(self, tokens: list[int], at_least: int) -> Any:
        """A new sequence with what is there of a text; -> its name."""
        reply = self.cache.start(tokens)
        pair = isinstance(reply, list | tuple) and len(reply) == 2
        require(pair, f"start gives {reply!r:.60}, want a name and a count", "cache-contract")
        name, n = reply
        require(name not in self.texts, f"the name {name!r} is in use", "cache-contract")
        said = f"start of a text of {len(tokens)}: {n} tokens are said to be there"
        whole = n % B == 0 and 0 <= n < len(tokens)
        require(
            whole, f"{said}, want whole blocks and one token left to compute", "cache-all-found"
        )
        require(n >= at_least, f"{said}, and others hold {at_least}", "cache-not-found")
        self.texts[name] = list(tokens[:n])
        return name

    def append(self, name: Any, tokens: list[int]) -> bool:
        """Append what the network makes of these tokens, where there is room."""
        text = self.texts[name] + list(tokens)
        pool, seqs = self.state()
        seq = seqs[name]
        need = blocks_for(len(text)) - len(seq["table"])
        inside = len(seq["table"]) * B > seq["n"]
        need += inside and pool["refs"][seq["table"][-1]] > 1
        n_left = self.n_blocks - len({b for s in seqs.values() for b in s["table"]})
        done = self.cache.append(name, list(tokens), *network(text, len(text) - len(tokens)))
        said = (
            f"append of {len(tokens)} tokens that takes {need} blocks, {n_left} left: got {done!r}"
        )
        require(isinstance(done, bool | np.bool_), f"{said}, want True or False", "cache-contract")
        require(bool(done) == (need <= n_left), said, "cache-room")
        if done:
            self.texts[name] = text
        else:
            now, seqs_now = self.state()
            unlike = difference(pool, now) or ("" if seqs == seqs_now else "sequences changed")
            require(not unlike, f"{said}, and {unlike}", "cache-half-change")
        return bool(done)

    def fork(self, name: Any) -> Any:
        child = self.cache.fork(name)
        new = child is not None and child not in self.texts
        require(new, f"fork gives the name {child!r}", "cache-contract")
        self.texts[child] = list(self.texts[name])
        return child

    def rewind(self, name: Any, n: int) -> None:
        self.cache.rewind(name, n)
        del self.texts[name][n:]

    def drop(self, name: Any) -> None:
        self.cache.drop(name)
        del self.texts[name]

    def reads(self, name: Any, layer: int) -> None:
        """Require that a sequence reads as the network's rows of its text."""
        got, want = self.cache.read(name, layer), network(self.texts[name], 0)[:, layer]
        pair = isinstance(got, list | tuple) and len(got) == 2
        require(pair, "read gives no pair (k, v)", "cache-contract")
        for part, rows, right in zip(PARTS, got, want, strict=True):
            what = f"layer {layer} of a text of {len(want[0])}, {part}"
            close(rows, right, near={"cache-wrong-rows": rows}, what=what, **ROWS)

    def read_all(self) -> None:
        """Require that every text reads as it should, and lies in the pool where its table says."""
        pool, seqs = self.state()
        for name, text in self.texts.items():
            for layer in range(LAYERS):
                self.reads(name, layer)
            in_the_pool(pool, seqs[name], network(text, 0), len(text))

    def found_again(self, name: Any, n: int) -> None:
        """Require that a new sequence finds the first n tokens of another, and drop it."""
        new = self.start(self.texts[name] + [0], n)
        self.read_all()
        self.drop(new)

    def state(self) -> tuple[dict, dict]:
        """What the student's cache says of itself, required to be consistent."""
        pool, seqs = self.cache.state()
        pool = pool | {name: ints(pool[name]) for name in ("refs", "cached")}
        seqs = {k: {"table": ints(s["table"]), "n": int(s["n"])} for k, s in seqs.items()}
        require(seqs.keys() == self.texts.keys(), f"sequences {list(seqs)}", "cache-contract")
        for name, text in self.texts.items():
            seq = seqs[name]
            said = f"sequence {name!r} of {len(text)} tokens is {seq}"
            fits = seq["n"] == len(text) and len(seq["table"]) == blocks_for(len(text))
            require(fits, said, "cache-table")
        want = recount(self.n_blocks, list(seqs.values()))
        said = f"refs {pool['refs']}, and the tables hold {want}"
        require(pool["refs"] == want, said, "cache-counts")
        unheld = sorted(b for b in pool["found_by"].values() if want[b] == 0)
        said = f"cached is {pool['cached']}; findable and held by nobody are {unheld}"
        require(sorted(pool["cached"]) == unheld, said, "cache-counts")
        return pool, seqs


def in_the_pool(pool: dict, seq: dict, want: np.ndarray, n: int, **tolerance: float) -> None:
    """Require (2, LAYERS, n, G, E) rows in the blocks of a table: what is kept elsewhere is no
    cache of this pool.
    """
    inside = all(0 <= block < len(pool["refs"]) for block in seq["table"])
    fits = np.shape(pool["k"]) == np.shape(pool["v"]) == (LAYERS, len(pool["refs"]), B, G, E)
    said = f"table {seq['table']} of {len(pool['refs'])} blocks, k {np.shape(pool['k'])}"
    require(inside and fits, said, "cache-not-in-the-pool")
    rows = stored(pool, seq)
    what = f"rows in the blocks of table {seq['table']}, a text of {n}"
    close(rows, want, near={"cache-not-in-the-pool": rows}, what=what, **EXACT | tolerance)


HISTORY = 12
USED = (*SLOTS, *ALLOCATE, *FREE, *FORK, *APPEND, *GATHER, *REWIND, *PREFIXES)


def words(rng: np.random.Generator, n: int) -> list[int]:
    return [int(t) for t in rng.integers(0, 1000, n)]


@check(hole="KVCache", points=1, title="a story: start, append, fork, rewind, drop, start again")
@on_parts(*USED)
def cache_trace(student, rng):
    story, prompt = Story(student, rng, 8), words(rng, 10)
    a = story.start(prompt, 0)
    story.append(a, prompt)
    b = story.start(prompt[:9] + words(rng, 3), 8)  # two blocks are there
    story.append(b, words(rng, 3))
    c = story.fork(a)
    story.append(a, words(rng, 1))
    story.append(c, words(rng, 4))
    story.found_again(c, 12)
    story.read_all()
    story.rewind(c, 6)
    story.append(c, words(rng, 2))
    story.found_again(c, 8)
    story.append(b, words(rng, 40))  # no room
    story.append(b, words(rng, 1))
    story.found_again(b, 12)
    story.drop(a)
    story.read_all()
    for name in (b, c):
        story.drop(name)
    pool, _ = story.state()
    require(not any(pool["refs"]), "all were dropped and some blocks are held", "cache-counts")
    again = story.start(prompt[:8], 4)  # what nobody holds is still findable
    story.reads(again, 1)


@check(hole="KVCache", points=1, title="many sequences, eighty steps", visibility="hidden")
@on_parts(*USED)
def cache_of_many(student, rng):
    # The steps are always these, so that a mistake shows on every draw or on none; the texts vary.
    story, steps = Story(student, rng, 9), np.random.default_rng(HISTORY)
    prompts = [words(rng, 13) for _ in range(2)]
    for i in range(80):
        names = list(story.texts)
        name = names[steps.integers(0, len(names))] if names else None
        kind = steps.choice(["start", "append", "append", "fork", "rewind", "drop"])
        if name is None or (kind == "start" and len(names) < 6):
            text = prompts[steps.integers(0, 2)][: int(steps.integers(1, 14))] + words(rng, 1)
            name = story.start(text, 0)  # what a rewind wrote over may be gone
            story.append(name, text[len(story.texts[name]) :])
        elif kind == "append":
            story.append(name, words(rng, int(steps.integers(1, 7))))
        elif kind == "fork" and len(names) < 6:
            story.fork(name)
        elif kind == "rewind":
            story.rewind(name, int(steps.integers(0, len(story.texts[name]) + 1)))
        elif kind == "drop" or len(names) == 6:
            story.drop(name)
        if i % 16 == 15:
            story.state()
            story.read_all()


N_HEADS, WIDTH, HIDDEN, WORDS = 6, 10, 8, 19


def tiny_model(rng: np.random.Generator) -> dict:
    """Weights of a llama of LAYERS layers, as the oracle wants them."""
    shapes = {
        "attn_q": (N_HEADS * E, WIDTH),
        "attn_k": (G * E, WIDTH),
        "attn_v": (G * E, WIDTH),
        "attn_output": (WIDTH, N_HEADS * E),
        "ffn_gate": (HIDDEN, WIDTH),
        "ffn_up": (HIDDEN, WIDTH),
        "ffn_down": (WIDTH, HIDDEN),
    }
    layers = [
        {name: rng.standard_normal(s) / np.sqrt(s[1]) for name, s in shapes.items()}
        | dict.fromkeys(("attn_norm", "ffn_norm"), np.ones(WIDTH))
        for _ in range(LAYERS)
    ]
    return {"layers": layers, "embeddings": rng.standard_normal((WORDS, WIDTH))}


def forward(model: dict, tokens: list[int], start: int, past: list) -> tuple[np.ndarray, list]:
    """Logits of the last of some tokens after what is cached, and their keys and values."""
    x, new = model["embeddings"][tokens], []
    for weights, kv in zip(model["layers"], past, strict=True):
        at = np.arange(start, start + len(tokens))
        x, kv = oracle.layer(x, weights, at, n_heads=N_HEADS, n_kv_heads=G, past=kv)
        new.append([rows[start:].astype(np.float32) for rows in kv])
    x = oracle.rms_norm(x[-1:], np.ones(WIDTH), 1e-5)
    return x[0] @ model["embeddings"].T, [np.stack(rows) for rows in zip(*new, strict=True)]


class EngineCache:
    """The engine's own pool and cells, with the two calls that generation needs."""

    def __init__(self) -> None:
        self.cells = Cells(BlockPool(12, B, LAYERS, G, E, "F32"))

    def append(self, tokens: list[int], k: np.ndarray, v: np.ndarray) -> None:
        slots = np.array(self.cells.room(len(tokens)))
        rows = (np.ascontiguousarray(part.swapaxes(0, 1)).view(np.uint8) for part in (k, v))
        self.cells.pool.put(slots, *rows)
        self.cells.wrote(len(tokens))

    def read(self, layer: int) -> list[np.ndarray]:
        rows = self.cells.pool.rows(self.cells.slots())
        return [np.ascontiguousarray(part[:, layer]).view(np.float32) for part in rows]


@check(
    hole="KVCache", points=1, title="a text as through the engine's own cache", visibility="hidden"
)
@on_parts(*USED)
def cache_gives_the_text(student, rng):
    model, prompt = tiny_model(rng), [int(t) for t in rng.integers(0, WORDS, 7)]
    story, engine = Story(student, rng, 12), EngineCache()
    name = story.start(prompt, 0)
    tokens, text = prompt, []
    for _ in range(8):
        n = len(prompt) + len(text) - len(tokens)
        logits = []
        for cache, who in ((story.cache, (name,)), (engine, ())):
            past = [cache.read(*who, layer) if n else None for layer in range(LAYERS)]
            got, (k, v) = forward(model, tokens, n, past)
            done = cache.append(*who, tokens, k, v)
            require(done is not False, f"append of {len(tokens)} tokens: no room", "cache-room")
            logits.append(got)
        what = f"logits after {n + len(tokens)} tokens"
        close(logits[0], logits[1], rtol=1e-5, atol=1e-5, near={"cache-wrong-rows": logits[0]},
              what=what, axes=("word",))  # fmt: skip
        tokens = [int(np.argmax(logits[1]))]
        text += tokens
    pool, seqs = story.cache.state()
    want = np.stack([engine.read(layer) for layer in range(LAYERS)], axis=1)
    seq = {"table": ints(seqs[name]["table"]), "n": want.shape[2]}
    in_the_pool(pool, seq, want, want.shape[2], rtol=1e-5, atol=1e-5)
