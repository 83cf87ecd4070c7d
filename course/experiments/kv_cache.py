"""Lab 2.2: what the key/value cache costs, saves and gives up, counted on the engine's own.

Owns: the measurements and their charts. Must not know: what a student chose. Everything here but
``seconds`` is the same on every machine: it counts blocks, tokens and bytes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course.charts import AMBER, BLUE, COLOURS, GREEN, LEGEND, RED, Drawing, chart, finish
from minengine import Engine
from minengine.workload import zipf

KIB = 1024


@dataclass(frozen=True)
class Step:
    """The cache after one token: tokens stored, blocks in use, bytes taken and bytes filled."""

    tokens: int
    blocks: int
    taken: int
    filled: int


def growth(engine: Engine, prompt: str, n_tokens: int) -> list[Step]:
    """Generate greedily and look at the cache after each token."""
    pool, steps = engine.pool, []
    sequence = engine.sequence(prompt, max_tokens=n_tokens, greedy=True)
    engine.scheduler.add(sequence)
    while not sequence.reason:
        engine.step()
        if sequence.cells is not None:
            n, usage = sequence.cells.n, pool.usage()
            filled = n * pool.block_bytes // pool.block_size
            steps.append(Step(n, usage.used, usage.bytes_used, filled))
    return steps


def work(n_prompt: int, n_tokens: int, *, cached: bool) -> int:
    """Tokens that go through the network to generate ``n_tokens`` after a prompt.

    With a cache the prompt once and each new token once; without, the whole text every time.
    """
    if cached:
        return n_prompt + n_tokens - 1
    return sum(n_prompt + i for i in range(n_tokens))


def seconds(engine: Engine, prompt: str, n_tokens: int) -> tuple[list[float], list[float]]:
    """Seconds of each token, with the cache and without: the whole text is computed anew.

    The machine has other things to do: each is the smaller of two times.
    """
    tries = []
    for _ in range(2):
        ids, with_cache, without = engine.tokenize(prompt), [], []
        sequence = engine.sequence(ids, max_tokens=n_tokens, greedy=True)
        engine.scheduler.add(sequence)
        while not sequence.reason:
            started = time.perf_counter()
            engine.step()
            with_cache.append(time.perf_counter() - started)
        for i in range(len(with_cache)):
            text = sequence.tokens[: len(ids) + i]
            started = time.perf_counter()
            list(engine.rows([text], first=len(text) - 1))  # the last row alone, as in decoding
            without.append(time.perf_counter() - started)
        tries.append((with_cache, without))
    return tuple(np.minimum(*pair).tolist() for pair in zip(*tries, strict=True))


@dataclass(frozen=True)
class Reuse:
    """One request: tokens of its prompt, those found in the cache, those computed."""

    prompt: int
    found: int
    computed: int


def reuse(
    prefix: str, questions: Sequence[str], *, block_size: int = 16, share: bool = True
) -> tuple[list[Reuse], float]:
    """Ask each question after the same prefix, one after the other -> (a row each, hit rate).

    The hit rate is the pool's: of the full blocks of prompts that were looked for, those found.
    """
    engine = Engine(mode="exact", block_size=block_size, share_prefixes=share, n_threads=1)
    rows = []
    for question in questions:
        sequence = engine.sequence(prefix + question, max_tokens=1, greedy=True)
        "".join(engine.resume(sequence))
        n, found = sequence.n_prompt, sequence.n_found
        rows.append(Reuse(n, found, n - found))
    return rows, engine.pool.counters.hit_rate


@dataclass(frozen=True)
class Sized:
    """A block size on one load: bytes taken but not filled, tokens found, block tables' entries."""

    block_size: int
    wasted: int
    found: int
    entries: int


def block_sizes(prefix: str, questions: Sequence[str], sizes: Sequence[int]) -> list[Sized]:
    """The same requests with blocks of other sizes: small ones waste little and share more, and
    need longer tables.
    """
    rows = []
    for size in sizes:
        engine = Engine(mode="exact", block_size=size, n_threads=1)
        pool, held, found, stored = engine.pool, [], 0, 0
        for question in questions:
            sequence = engine.sequence(prefix + question, max_tokens=1, greedy=True)
            sequence.keeps_cells = True  # as if all were still being served
            "".join(engine.resume(sequence))
            held.append(sequence)
            found += sequence.n_found
            stored += sequence.cells.n
        usage = pool.usage()
        taken = usage.references * pool.block_bytes
        filled = stored * pool.block_bytes // size
        rows.append(Sized(size, taken - filled, found, usage.references))
        for sequence in held:
            engine.memory.release(sequence)
    return rows


@dataclass(frozen=True)
class Pressure:
    """A pool of so many blocks under a policy: hit rate, blocks given up."""

    policy: str
    n_blocks: int
    hit_rate: float
    evicted: int


def pressure(
    policies: Sequence[str], pool_sizes: Sequence[int], *, seed: int, n_requests: int = 32
) -> list[Pressure]:
    """A day's requests on smaller and smaller pools.

    Ten prefixes of 48 tokens are asked for by Zipf's law, one request after the other; a tenth of
    the requests are long and come once, so they sweep the cache. The ids are drawn from the seed.
    """
    rows = []
    for policy in policies:
        for n_blocks in pool_sizes:
            rng = np.random.default_rng(seed)
            engine = Engine(
                block_size=16, n_blocks=n_blocks, eviction=policy, n_threads=1, mode="fast"
            )
            prefixes, asked = rng.integers(3, 1024, (10, 48)).tolist(), zipf(rng, 10, n_requests)
            for which in asked:
                once = rng.random() < 0.1
                own = rng.integers(3, 1024, 112 if once else 8).tolist()
                ids = [1, *([] if once else prefixes[which]), *own]
                "".join(engine.generate(ids, max_tokens=1, greedy=True))
            c = engine.pool.counters
            rows.append(Pressure(policy, n_blocks, c.hit_rate, c.evicted))
    return rows


# Charts -------------------------------------------------------------------------------------------


def draw_growth(steps: Sequence[Step], block_size: int) -> Drawing:
    figure, axes = chart(7, 3)
    n = [s.tokens for s in steps]
    axes.step(n, [s.taken / KIB for s in steps], where="post", color=BLUE, label="taken")
    axes.plot(n, [s.filled / KIB for s in steps], color=AMBER, label="filled")
    axes.set(xlabel="tokens stored", ylabel="KiB", title=f"The cache, blocks of {block_size}")
    axes.legend(**LEGEND)
    axes.grid(axis="y")
    last = steps[-1]
    return finish(
        figure,
        alt=f"A staircase of bytes taken over a line of bytes filled: after {last.tokens} tokens "
        f"{last.taken / KIB:.0f} and {last.filled / KIB:.0f} KiB.",
    )


def draw_seconds(with_cache: Sequence[float], without: Sequence[float], n_prompt: int) -> Drawing:
    figure, axes = chart(7, 3)
    n = n_prompt + np.arange(1, len(without))  # the first token is the prompt's in both
    for times, color, label in (
        (without, RED, "without a cache"),
        (with_cache, GREEN, "with a cache"),
    ):
        axes.plot(n, 1e3 * np.array(times[1:]), ".", color=color, label=label, markersize=5)
    axes.set(xlabel="tokens in the text", ylabel="milliseconds a token", ylim=(0, None))
    axes.legend(**LEGEND)
    axes.grid(axis="y")
    return finish(
        figure,
        alt="Milliseconds a token against the length of the text: without a cache they rise, with "
        "one they stay nearly level.",
    )


def draw_reuse(shared: Sequence[Reuse], alone: Sequence[Reuse]) -> Drawing:
    figure, axes = chart(7, 2.8)
    at = np.arange(len(shared))
    axes.bar(at - 0.2, [r.computed for r in alone], 0.38, color=RED, label="computed, no sharing")
    axes.bar(at + 0.2, [r.computed for r in shared], 0.38, color=GREEN, label="computed, sharing")
    axes.bar(
        at + 0.2, [r.found for r in shared], 0.38, [r.computed for r in shared],
        color="none", edgecolor=GREEN, linestyle=":", label="found",
    )  # fmt: skip
    axes.set(xlabel="request", ylabel="tokens of the prompt", xticks=at, xticklabels=at + 1)
    axes.legend(**LEGEND, loc="upper center", ncols=3, bbox_to_anchor=(0.5, 1.2))
    return finish(
        figure,
        alt="Tokens computed for each request: the whole prompt without sharing; with sharing only "
        "the first request computes the prefix.",
    )


def draw_sizes(rows: Sequence[Sized]) -> Drawing:
    figure, (left, right) = chart(7, 2.8, columns=2)
    at = np.arange(len(rows))
    names = [str(r.block_size) for r in rows]
    left.bar(at, [r.wasted / KIB for r in rows], color=AMBER)
    left.set(title="KiB taken and not filled", xlabel="tokens a block")
    right.bar(at, [r.found for r in rows], color=GREEN)
    right.set(title="tokens found in the cache", xlabel="tokens a block")
    for axes in (left, right):
        axes.set_xticks(at, names)
        axes.grid(axis="y")
    return finish(
        figure,
        alt="Two bar charts by block size: waste rises with it, tokens found fall.",
    )


def draw_pressure(rows: Sequence[Pressure]) -> Drawing:
    figure, (left, right) = chart(7, 3, columns=2)
    for policy, color in zip(dict.fromkeys(r.policy for r in rows), COLOURS, strict=False):
        mine = [r for r in rows if r.policy == policy]
        sizes = [r.n_blocks for r in mine]
        left.plot(sizes, [100 * r.hit_rate for r in mine], "o-", color=color, label=policy)
        right.plot(sizes, [r.evicted for r in mine], "o-", color=color, label=policy)
    left.set(title="blocks found, percent", xlabel="blocks in the pool", ylim=(0, 100))
    right.set(title="blocks given up", xlabel="blocks in the pool", ylim=(0, None))
    left.legend(**LEGEND)
    for axes in (left, right):
        axes.grid(axis="y")
    return finish(
        figure,
        alt="Hit rate and evictions against the size of the pool, a line for each policy: with a "
        "smaller pool fewer blocks are found and more are given up.",
    )
