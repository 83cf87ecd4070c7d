"""What is required of a student's CUDA kernel: right values, clean memory, little traffic.

Owns: these three, and the order in which findings are told. Must not know: any task, points. Read
before: kernels.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.checks import CheckFailed, close, require
from autograder.kernels import Case, launch
from cudasim.judging import POISON

# float32 sums of up to some hundred terms of size one, added in any order, and GPU's fast exp
TOLERANCE = {"rtol": 2e-4, "atol": 2e-4}
# causes before what follows from them: without a barrier numbers are read that nobody wrote yet
KINDS = (
    *("divergent-barrier", "wrong-mask", "out-of-bounds", "misaligned", "write-to-const"),
    *("wild-pointer", "race", "uninitialised-read", "fault"),
)
CAUSES = {kind: i for i, kind in enumerate(KINDS)}


def values(student: Any, hole: str, *asked: Case, axes: tuple[str, ...]) -> None:
    """Require the right numbers of each launch; a known mistake is named by its tag."""
    for case, said in zip(asked, launch(student, hole, list(asked)), strict=True):
        got = np.asarray(said["output"])
        same = got.shape == case.want.shape and got.dtype == np.float32
        require(same, "the kernel broke what launches it", "kernel-stopped")
        what = f"{hole}{case.sizes}"
        try:
            close(got, case.want, near=case.near, what=what, axes=axes, **TOLERANCE)
        except CheckFailed as failed:
            n = int((got.view(np.uint32) == POISON).sum())
            if failed.tag in ("nan", "wrong-value") and n:
                text = f"{what}: no thread wrote {n} of {got.size} numbers"
                raise CheckFailed("output-not-written", text) from None
            raise


def at_work(hole: str, case: Case, said: dict) -> None:
    """Require that a kernel does something: an idle one is clean and frugal, and worth nothing.

    That is, it reads half of what an answer depends on, writes half of its output, and not the same
    number everywhere.
    """
    got = np.asarray(said["output"])
    written = got[got.view(np.uint32) != POISON] if got.dtype == np.float32 else got[:0]
    read = sum(two[0] for two in said["traffic"].values())
    busy = 2 * read >= case.depends_bytes and 2 * written.size >= case.want.size
    varied = case.want.size == 1 or np.ptp(np.nan_to_num(written, nan=1e9)) > 0 if busy else False
    text = f"{hole}{case.sizes}: the kernel does too little for this to be judged"
    require(bool(busy and varied), text, "nothing-done")


def clean(student: Any, hole: str, *asked: Case) -> None:
    """Require that the sanitizer finds nothing; of its findings the likeliest cause is told."""
    for case, said in zip(asked, launch(student, hole, list(asked)), strict=True):
        found = [(str(kind), line, message) for kind, line, message in said["findings"]]
        if found:
            kind, line, message = min(found, key=lambda f: CAUSES.get(f[0], len(CAUSES)))
            text = f"{hole}{case.sizes}, line {line} of the source: {message}"
            raise CheckFailed(kind, text)
        at_work(hole, case, said)


def frugal(student: Any, hole: str, case: Case, factor: float, tag: str) -> None:
    """Require at most ``factor`` times the bytes that have to cross the bus; ``tag`` where not."""
    said = launch(student, hole, [case])[0]
    at_work(hole, case, said)
    rows = {str(name): sum(two) for name, two in said["traffic"].items()}
    moved = sum(n for name, n in rows.items() if not case.counted or name in case.counted)
    if moved > factor * case.least_bytes:
        wasted = [r for r in said["efficiency"] if r[3] > r[4]]
        worst = max(wasted, key=lambda r: r[3] - r[4], default=None)
        where = (
            f"; line {worst[0]} moves {worst[3]} sectors of {worst[1]} where {worst[4]} would hold "
            "what it asks for" if worst else ""
        )  # fmt: skip
        of = " and ".join(case.counted) or "all arrays"
        text = (
            f"{hole}{case.sizes}: {moved} bytes of {of} cross the bus, {case.least_bytes} have to; "
            f"at most {factor:g} times that is asked{where}"
        )
        raise CheckFailed(tag, text)
