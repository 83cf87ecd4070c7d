"""Are the samplers right? Every row and random chains against llama.cpp's own samplers.

    python bench/peer_samplers.py --peer PEER/bin/python [--count 1000] [--golden tests/golden]

For each row of ``SAMPLERS``, each ending, and random chains: ``--count`` random rows of logits
(peaked, flat, with ties, with tokens ruled out, 2 to 32,000 tokens) and random values, edge ones
among them. What must agree: which tokens are left and their probabilities to 2e-5 (float32 sums).
Where logits tie at the edge of a cut, which of the tied ids stays is left open by C++'s partial
sort; then the logits that are left must agree. A row whose running sum passes the threshold within
float32's rounding may cut one token earlier or later; these are counted apart. Exits with 1 where
a row differs otherwise. PEER is an environment with llama-cpp-python, see ``peer_logits.py``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from minengine.candidates import Candidates
from minengine.sampling import SAMPLERS, Chain, Parameter

# what to draw a parameter's value from, besides its default
VALUES = {
    "penalty_last_n": (0, 1, 5, 64), "repeat_penalty": (0.8, 1.1, 1.5, 3.0),
    "frequency_penalty": (0.0, 0.2, -0.5), "presence_penalty": (0.0, 0.7, -0.3),
    "dry_multiplier": (0.0, 0.8, 2.0), "dry_base": (0.5, 1.0, 1.75, 4.0),
    "dry_allowed_length": (0, 1, 2, 4), "dry_last_n": (0, 3, 20, 64),
    "top_n_sigma": (-1.0, 0.0, 0.5, 1.0, 2.0), "top_k": (0, 1, 2, 7, 40, 130, 500),
    "typical_p": (0.0, 0.2, 0.5, 0.9, 1.0), "top_p": (0.0, 0.1, 0.5, 0.9, 0.99, 1.0),
    "min_p": (0.0, 0.01, 0.1, 0.5, 1.0), "xtc_probability": (0.0, 1.0),
    "xtc_threshold": (0.01, 0.1, 0.3, 0.5, 0.6), "temperature": (0.0, 0.1, 0.7, 1.0, 2.0),
    "dynatemp_range": (0.0, 0.3, 1.0), "dynatemp_exponent": (0.5, 1.0, 2.0),
}  # fmt: skip
VERDICTS = ("equal", "tied", "edge", "open", "differs")


def random_logits(rng: np.random.Generator) -> np.ndarray:
    n = int(rng.choice([2, 3, 8, 20, 50, 300, 1500]) if rng.random() < 0.99 else 32000)
    x = rng.standard_normal(n) * rng.choice([0.01, 1.0, 3.0, 10.0])
    kind = rng.integers(5)
    if kind == 0:
        x = np.round(x)  # ties
    if kind == 1:
        x[rng.random(n) < 0.3] = -np.inf
        x[rng.integers(n)] = 1.0
    return x.astype(np.float32)


def random_step(rng: np.random.Generator, row) -> list:
    def value(p: Parameter):
        drawn = p.default if rng.random() < 0.1 else rng.choice(VALUES[p.name])
        return p.type(drawn)

    return [row.name, *(value(p) for p in row.parameters)]


def cases(count: int, seed: int) -> list[dict]:
    """``count`` cases for each row alone and for chains of up to all rows in random order."""
    rng, found = np.random.default_rng(seed), []
    groups = [(row.name, [row]) for row in SAMPLERS] + [("chain", None)]
    for name, rows in groups:
        for _ in range(count):
            if rows is None:
                order = rng.permutation(len(SAMPLERS))[: rng.integers(2, len(SAMPLERS) + 1)]
                chosen = [SAMPLERS[i] for i in order]
            else:
                chosen = rows
            x = random_logits(rng)
            history = rng.integers(0, min(len(x), 6), int(rng.integers(0, 40))).tolist()
            steps = [random_step(rng, row) for row in chosen]
            found.append({"group": name, "steps": steps, "history": history, "logits": x})
    return found


def ours(case: dict) -> tuple[np.ndarray, np.ndarray]:
    """Ids that are left with a probability, and their probabilities in float64.

    Notes in the case where llama.cpp leaves open what typical_p does: with a candidate of
    probability 0 its entropy is NaN, and it sorts by that.
    """
    chain = Chain(seed=0)
    chain.history = list(case["history"])
    chain._chances = (0.0, 0.5)
    rows = {row.name: row for row in SAMPLERS}
    x = np.asarray(case["logits"], np.float32)
    c = Candidates(np.arange(len(x), dtype=np.int32), x)
    for name, *values in case["steps"]:
        if name == "typical_p" and values[0] < 1 and not c.probabilities().all():
            case["open"] = True
        c = rows[name].apply(c, chain, *values)
    return left(c.ids, c.logits)


def left(ids: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    alive = np.isfinite(logits)
    ids, x = ids[alive], logits[alive].astype(np.float64)
    p = np.exp(x - x.max())
    order = np.argsort(ids)
    return ids[order], (p / p.sum())[order]


def verdict(case: dict, mine: tuple, theirs: tuple) -> str:
    """equal, tied (other ids of equal logits), edge (one token other by rounding), open
    (see ``ours``), or differs.
    """
    if case.get("open"):
        return "open"
    if np.array_equal(mine[0], theirs[0]):
        return "equal" if np.allclose(mine[1], theirs[1], rtol=2e-5, atol=1e-9) else "differs"
    x = np.asarray(case["logits"], np.float32)
    off = max(len(np.setdiff1d(a[0], b[0])) for a, b in ((mine, theirs), (theirs, mine)))
    if len(np.unique(x)) < len(x):
        as_many = len(mine[0]) == len(theirs[0])
        same = as_many and np.allclose(np.sort(mine[1]), np.sort(theirs[1]), rtol=2e-5, atol=1e-9)
        # in a chain a later step may weigh the tied ids differently: the penalties do
        if same or (case["group"] == "chain" and (as_many or off <= 2)):
            return "tied"
    return "edge" if off == 1 else "differs"


def ask_peer(python: str, work: Path, found: list[dict]) -> list[tuple]:
    job = [{**c, "logits": [float(v) for v in c["logits"]]} for c in found]
    (work / "samplers.json").write_text(json.dumps(job))
    script = Path(__file__).with_name("peer_llamacpp_samplers.py")
    command = [python, str(script), str(work / "samplers.json"), str(work / "samplers.npz")]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        sys.exit(f"llama.cpp failed: {' '.join(command)}")
    arrays = np.load(work / "samplers.npz")
    ends = arrays["ends"]
    starts = np.concatenate(([0], ends[:-1]))
    ids, logits = arrays["ids"], arrays["logits"]
    return [left(ids[a:b], logits[a:b]) for a, b in zip(starts, ends, strict=True)]


def write_golden(folder: Path, python: str, work: Path) -> None:
    small = [c for c in cases(120, 5) if len(c["logits"]) <= 50]
    kept, counts = [], {}
    for c in small:
        counts[c["group"]] = counts.get(c["group"], 0) + 1
        if counts[c["group"]] <= (60 if c["group"] == "chain" else 20):
            kept.append(c)
    rows = []
    for c, theirs in zip(kept, ask_peer(python, work, kept), strict=True):
        if verdict(c, ours(c), theirs) == "equal":
            known = {"ids": theirs[0].tolist(), "p": [float(f"{v:.7g}") for v in theirs[1]]}
            rows.append({**c, "logits": [float(v) for v in c["logits"]], **known})
    path = folder / "samplers.json"
    path.write_text(json.dumps(rows, separators=(",", ":")) + "\n")
    print(f"{path}: {len(rows)} of {len(kept)} cases, {path.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", required=True, help="a Python that has llama-cpp-python")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("build/peer"))
    parser.add_argument("--golden", type=Path, help="write the golden file to this folder")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    found = cases(args.count, args.seed)
    counts: dict[str, dict[str, int]] = {}
    for case, theirs in zip(found, ask_peer(args.peer, args.work, found), strict=True):
        mine = ours(case)
        said = verdict(case, mine, theirs)
        row = counts.setdefault(case["group"], dict.fromkeys(VERDICTS, 0))
        row[said] += 1
        if said == "differs" and row[said] <= 3:
            print(
                f"{case['steps']} of {len(case['logits'])}: {len(mine[0])}, {len(theirs[0])} left"
            )
    for group, row in counts.items():
        print(f"{group:14} " + "  ".join(f"{k} {v:5}" for k, v in row.items()))
    if args.golden:
        write_golden(args.golden, args.peer, args.work)
    sys.exit(any(row["differs"] for row in counts.values()))


if __name__ == "__main__":
    main()
