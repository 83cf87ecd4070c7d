"""A contestant: a process that holds one engine, is told when to run, and says how long it took.

Owns: the lines that go in and out, what a sample measures, the tokens that are run. Must not know:
any engine, and anything of ours; it runs where llama-cpp-python is installed too. Read after:
``turns.py`` (who asks), ``minengine_speed.py``, ``peer_llamacpp_speed.py`` (who answers).

A line in is ``{"do": verb, ...}``, a line out the answer or ``{"error": text}``. Verbs: "open" a
job, which fills the cache as far as the job's depth; "run" it once; "close" it.
"""

from __future__ import annotations

import glob
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

WARM = 2  # steps before those that are counted: threads awake, caches as a step leaves them
WARM_TOKENS = 32  # of such a step, where a counted one has more
WAITS = "/proc/self/schedstat"  # Linux
PAUSE_S = 0.03  # before these: until the other process's threads, which wait by spinning, sleep


@dataclass(frozen=True)
class Job:
    """What one sample is: ``n_steps`` passes of ``n_tokens`` tokens for each of ``n_sequences``
    sequences that have ``depth`` tokens in the cache; the cache holds halves (F16).
    """

    file: str
    n_sequences: int
    depth: int
    n_tokens: int
    n_steps: int
    threads: int
    options: dict
    block_size: int = 32  # tokens of a block of the cache, where there are blocks

    @property
    def length(self) -> int:
        """Tokens that a sequence has in the end."""
        return self.depth + max(self.n_tokens * self.n_steps, self.n_warm * WARM)

    @property
    def n_warm(self) -> int:
        """Tokens of each sequence in a step that is not counted."""
        return min(self.n_tokens, WARM_TOKENS)

    def tokens(self, n_vocab: int) -> list[list[int]]:
        """The ids of each sequence, the same for every engine: a row of ``length`` for each."""
        draw = random.Random(1)
        return [
            [draw.randrange(n_vocab) for _ in range(self.length)] for _ in range(self.n_sequences)
        ]


class Run(Protocol):
    """A job that is open."""

    def cut(self) -> None:
        """Forget the tokens after ``depth``."""

    def warm(self, i: int) -> None:
        """The i-th pass before those that are counted, of at most WARM_TOKENS a sequence."""

    def step(self, i: int) -> None:
        """Compute the i-th pass after ``depth``, and logits of each sequence's last token."""

    def close(self) -> None:
        """Give its memory back."""


def serve(
    start: Callable[[Job], Run], more: dict[str, Callable[[dict], dict]], hello: dict
) -> None:
    """Answer lines until there are none; ``hello`` is what this process says of itself."""
    runs: dict[str, tuple[Job, Run]] = {}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the asker's to handle: it closes our stdin

    def opened(message: dict) -> dict:
        job = Job(**message["job"])
        runs[message["key"]] = (job, start(job))
        return {}

    def closed(message: dict) -> dict:
        runs.pop(message["key"])[1].close()
        return {}

    verbs = {"open": opened, "close": closed, "run": lambda m: sample(*runs[m["key"]])}
    verbs |= {"hello": lambda _: hello} | more
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints does not come between the answers
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = verbs[message["do"]](message)
        except Exception as e:  # noqa: BLE001  the asker shows it and ends this process
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), file=out, flush=True)


def sample(job: Job, run: Run) -> dict:
    """Seconds that the passes took, and which share of the processors it wanted the process got.

    On one thread the seconds are those in which it ran: where the share is one, the clock's; where
    others ran too, what it would have taken without them. On several only the clock knows.
    """
    time.sleep(PAUSE_S)
    run.cut()
    for i in range(WARM):
        run.warm(i)
    run.cut()
    before, start = usage(), time.perf_counter()
    for i in range(job.n_steps):
        run.step(i)
    wall = time.perf_counter() - start
    ran, waited = (b - a for a, b in zip(before, usage(), strict=True))
    wanted = ran + waited if os.path.exists(WAITS) else wall * job.threads
    got = min(ran / wanted, 1.0) if wanted else 0.0
    return {"seconds": ran if job.threads == 1 else wall, "wall": wall, "got": got}


def usage() -> tuple[float, float]:
    """Seconds in which threads of this process ran, and in which they were ready but another one
    had the processor (0 where the system does not say).

    A thread that sleeps because there is nothing to do for it counts in neither.
    """
    waited = 0
    for path in glob.glob("/proc/self/task/*/schedstat"):
        with suppress(OSError), open(path, encoding="ascii") as f:  # of a thread that ended
            waited += int(f.read().split()[1])
    return time.process_time(), waited / 1e9
