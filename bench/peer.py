"""The peer: llama.cpp in a process of its own, asked by job; and how far from it we may be.

Owns: the flags that every ``peer_*.py`` has, how a job goes out and its answer comes back, the
measures and gates that several of them share. Must not know: what any of them asks. Read after:
``peer_answer.py`` (the peer's side of it).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from minengine import oracle

# of nrms in exact mode, by the function of the gate: llama.cpp reads GELU from a table of halves
GATES = {"silu": 1e-5, "gelu": 1e-3}
N_LAST = 10  # lines of stderr shown where the peer fails


def parser(doc: str, *, golden: bool = True) -> argparse.ArgumentParser:
    """A parser with --peer, --work and, where there is something to store, --golden; the folders
    are made.
    """
    found = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    said = "a Python that has llama-cpp-python"
    found.add_argument("--peer", required=True, type=program, help=said)
    said = "for files on the way; build/peer otherwise"
    found.add_argument("--work", type=folder, default="build/peer", help=said)
    if golden:
        found.add_argument("--golden", type=folder, help="write golden files to this folder")
    return found


def program(text: str) -> str:
    if shutil.which(text) is None:
        raise argparse.ArgumentTypeError(f"{text}: no program, want a Python")
    return text


def folder(text: str) -> Path:
    try:
        Path(text).mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise argparse.ArgumentTypeError(f"{text}: {e.strerror}, want a folder") from None
    return Path(text)


def ask(python: str, script: str, work: Path, job: Any) -> dict[str, np.ndarray]:
    """What a script beside this file, run by the peer's Python, stores for a job.

    The job is whatever JSON holds, and paths. Exits with the last lines that the peer wrote to
    stderr where it fails.
    """
    asked, answered = work / "job.json", work / "peer.npz"
    asked.write_text(json.dumps(job, default=os.fspath))
    answered.unlink(missing_ok=True)
    command = [python, str(Path(__file__).parent / script), str(asked), str(answered)]
    done = subprocess.run(command, stderr=subprocess.PIPE)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").splitlines()[-N_LAST:]
        head = f"llama.cpp failed with {done.returncode}: {shlex.join(command)}"
        sys.exit("\n  ".join([head, *last]))
    with np.load(answered) as found:
        return dict(found)


def nrms(got: np.ndarray, want: np.ndarray) -> float:
    """``rms(got - want) / std(want)``."""
    return float(np.sqrt(np.mean((got.astype(np.float64) - want) ** 2)) / np.std(want))


def kl(want: np.ndarray, got: np.ndarray) -> float:
    """The mean over rows of ``KL(softmax(want) || softmax(got))``: (T, V), (T, V) -> nats."""
    p, q = oracle.softmax(want), oracle.softmax(got)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(q)), 0)
    return float(np.mean(terms.sum(axis=1)))


def store(path: Path, found: Any, said: str = "") -> None:
    """Write a golden file as JSON, and say how large it is."""
    path.write_text(json.dumps(found, separators=(",", ":")) + "\n")
    print(f"{path}: {said}{path.stat().st_size:,} bytes")


def finish(missed: list[str]) -> NoReturn:
    """Name the gates that were missed; exits with 1 where one was."""
    print(f"{len(missed)} gates missed" + "".join(f"\n  {m}" for m in missed))
    sys.exit(bool(missed))
