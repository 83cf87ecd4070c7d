"""Many users at once: traces of requests, and what the engine makes of one, in numbers.

Owns: the trace, its clock, the figures. Must not know: kernels, text. Read before: ``engine.py``,
``scheduler.py``.

A trace says when a request arrives, whose it is, how long its prompt and its answer are, and which
prefix it shares with others. Token ids are drawn from seeds, so a trace is a few numbers a line.

The clock is simulated: it moves by what each pass of the network took, and jumps to the next
arrival where nobody is there. So waiting is real and idling costs no time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from minengine.engine import Engine
from minengine.errors import RequestError
from minengine.sequence import Sequence


@dataclass(frozen=True)
class Request:
    """One line of a trace; ``prefix`` names the text that begins the prompt, -1 is none."""

    at: float  # seconds after the first
    user: str
    n_prompt: int  # tokens, the prefix not counted
    n_answer: int
    prefix: int = -1
    n_prefix: int = 0

    def __post_init__(self) -> None:
        for f in fields(self):
            value, kinds = getattr(self, f.name), {"float": (int, float), "int": int, "str": str}
            if not isinstance(value, kinds[f.type]) or isinstance(value, bool):
                raise RequestError(f"{f.name}: got {value!r}, want {f.type}")
        if not 0 <= self.at < 1e9:
            raise RequestError(f"at: got {self.at!r}, want seconds from 0 on")
        for name, least in {"n_prompt": 1, "n_answer": 1, "n_prefix": 0, "prefix": -1}.items():
            if not least <= getattr(self, name) < 2**31:
                raise RequestError(f"{name}: got {getattr(self, name)}, want at least {least}")


def synthetic(
    *,
    n_requests: int = 64,
    n_users: int = 8,
    rate: float = 8.0,
    prompt: tuple[int, int] = (16, 64),
    answer: tuple[int, int] = (16, 48),
    n_prefixes: int = 2,
    n_prefix: int = 96,
    seed: int = 0,
) -> list[Request]:
    """A trace of Poisson arrivals, ``rate`` a second; lengths are uniform, bounds included.

    Users and prefixes are drawn by Zipf's law: the r-th has weight 1 / r. RequestError for
    impossible numbers.
    """
    counts = {"n_requests": n_requests, "n_users": n_users}
    for name, n in counts.items():
        if n < 1:
            raise RequestError(f"{name}: got {n}, want at least 1")
    if not rate > 0:
        raise RequestError(f"rate: got {rate}, want more than 0 requests a second")
    for name, (low, high) in {"prompt": prompt, "answer": answer}.items():
        if not 1 <= low <= high:
            raise RequestError(f"{name}: got {low} to {high}, want 1 or more in order")
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.exponential(1 / rate, n_requests))
    users = zipf(rng, n_users, n_requests)
    prefixes = zipf(rng, n_prefixes, n_requests) if n_prefixes and n_prefix else [-1] * n_requests
    return [
        Request(
            round(float(at[i] - at[0]), 6), f"user{users[i]}",
            int(rng.integers(prompt[0], prompt[1] + 1)),
            int(rng.integers(answer[0], answer[1] + 1)),
            int(prefixes[i]), n_prefix if prefixes[i] >= 0 else 0,
        )
        for i in range(n_requests)
    ]  # fmt: skip


def zipf(rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """``size`` draws of 0 .. n - 1, r with weight 1 / (r + 1)."""
    weights = 1 / np.arange(1, n + 1)
    return rng.choice(n, size, p=weights / weights.sum())


def write(path: str | os.PathLike, requests: Iterable[Request]) -> None:
    """One JSON object a line."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(r)) + "\n" for r in requests)


def read(path: str | os.PathLike) -> list[Request]:
    """The requests of a file, by arrival. RequestError says in which line what is wrong."""
    found = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found.append(Request(**json.loads(line)))
            except (ValueError, TypeError, RecursionError, RequestError) as e:
                raise RequestError(f"{path}:{number}: {e}") from None
    if not found:
        raise RequestError(f"{path}: no requests")
    return sorted(found, key=lambda r: r.at)


@dataclass
class Served:
    """What became of one request; times in seconds of the simulated clock."""

    request: Request
    sequence: Sequence
    first_s: float = 0.0  # from arrival to the first token
    done_s: float = 0.0  # from arrival to the last
    gaps_s: list[float] = field(default_factory=list)  # between tokens


def simulate(
    engine: Engine,
    requests: Iterable[Request],
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, object]:
    """Run a trace on an engine -> figures, see ``figures``.

    Answers are as long as the trace says: nothing ends them earlier. RequestError names a request
    that the context or the cache can't hold; nothing has run then.
    """
    requests = sorted(requests, key=lambda r: r.at)
    served = [Served(r, sequence_of(engine, r, i, seed)) for i, r in enumerate(requests)]
    ends, engine.tokenizer.ends = engine.tokenizer.ends, set()
    clock, busy_s, sizes, n_done, coming = 0.0, 0.0, [], 0, 0
    seen: dict[
        int, tuple[int, float]
    ] = {}  # a sequence under way -> its tokens, when the last came
    by_id = {id(s.sequence): s for s in served}
    try:
        while n_done < len(served):
            if not engine.scheduler.running and not engine.scheduler.waiting:
                clock = max(clock, requests[coming].at)
            while coming < len(requests) and requests[coming].at <= clock:
                engine.scheduler.add(served[coming].sequence)
                coming += 1
            began = time.perf_counter()
            moved = engine.step()
            took = time.perf_counter() - began
            clock, busy_s = clock + took, busy_s + took
            sizes.append(len(engine.scheduler.running) + sum(bool(s.reason) for s in moved))
            for sequence in moved:
                one = by_id[id(sequence)]
                if id(sequence) in seen:
                    one.gaps_s.append(clock - seen[id(sequence)][1])
                else:
                    one.first_s = clock - one.request.at
                seen[id(sequence)] = len(sequence.tokens), clock
                if sequence.reason:
                    one.done_s = clock - one.request.at
                    n_done += 1
            if progress is not None:
                progress(n_done, len(served))
    finally:
        engine.tokenizer.ends = ends
        for one in served:
            engine.scheduler.remove(one.sequence)
    return figures(engine, served, clock, busy_s, sizes)


def sequence_of(engine: Engine, request: Request, number: int, seed: int) -> Sequence:
    """A request's sequence: ids of its prefix from the prefix's seed, the others from its own."""
    V = engine.model.hparams.V
    ids = [
        np.random.default_rng([seed, kind, which]).integers(V, size=n).tolist()
        for kind, which, n in (
            (0, request.prefix + 1, request.n_prefix), (1, number, request.n_prompt)
        )
    ]  # fmt: skip
    want = request.n_prefix + request.n_prompt + request.n_answer
    if want > engine.context:
        raise RequestError(
            f"request {number} of {request.user}: {want} tokens, the context holds {engine.context}"
        )
    return engine.sequence(
        ids[0] + ids[1], max_tokens=request.n_answer, greedy=True, user=request.user
    )


def figures(
    engine: Engine, served: list[Served], clock: float, busy_s: float, sizes: list[int]
) -> dict[str, object]:
    """Throughput, latencies (seconds), the cache's hits, and how evenly users were served.

    ``fairness`` is Jain's index of the users' mean times a token, ``(sum x)^2 / (n sum x^2)``: 1
    where all are equal, 1 / n where one has everything. Jain et al. 1984.
    """
    n_prompt = sum(s.sequence.n_prompt for s in served)
    n_answer = sum(s.request.n_answer for s in served)
    users: dict[str, list[Served]] = {}
    for s in served:
        users.setdefault(s.request.user, []).append(s)
    pace = {
        u: sum(s.done_s for s in mine) / sum(s.request.n_answer for s in mine)
        for u, mine in users.items()
    }
    x, c = np.array(list(pace.values())), engine.pool.counters
    return {
        "n_requests": len(served), "clock_s": clock, "busy_s": busy_s, "n_passes": len(sizes),
        "prompt_tokens": n_prompt, "answer_tokens": n_answer,
        "tokens_per_s": n_answer / busy_s, "mean_running": float(np.mean(sizes)),
        "first_token_s": spread([s.first_s for s in served]),
        "between_tokens_s": spread([g for s in served for g in s.gaps_s]),
        "whole_answer_s": spread([s.done_s for s in served]),
        "found_tokens": sum(s.sequence.n_found for s in served),
        "hit_rate": c.found / max(c.found + c.missed, 1),
        "preemptions": sum(s.sequence.n_preempted for s in served),
        "peak_blocks": c.peak, "n_blocks": engine.pool.n_blocks, "evicted_blocks": c.evicted,
        "fairness": float(x.sum() ** 2 / (len(x) * (x * x).sum())),
        "users": {
            u: {"requests": len(mine), "answer_tokens": sum(s.request.n_answer for s in mine),
                "s_per_token": pace[u], "first_token_s": float(np.mean([s.first_s for s in mine]))}
            for u, mine in sorted(users.items())
        },
    }  # fmt: skip


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and largest; zeros where there is nothing."""
    x = np.array(values or [0.0])
    return {"p50": float(np.median(x)), "p95": float(np.percentile(x, 95)), "max": float(x.max())}
