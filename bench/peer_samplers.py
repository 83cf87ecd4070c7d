"""Are the samplers right? Every row, random chains and every ending against llama.cpp's own.

    python bench/peer_samplers.py --peer PEER/bin/python [--count 1000] [--golden tests/golden]

For each row of ``SAMPLERS``, for logit bias, DRY with breakers, greedy and the plain draw, and for
random chains: ``--count`` random rows of logits (peaked, flat, with ties, with tokens ruled out, 2
to 32,000 tokens) and random values, edge ones among them. What must agree: which tokens are left,
their probabilities to 2e-5 (float32 sums), the token that is drawn. For mirostat and adaptive-p
``--count`` / 4 runs of 60 tokens each, their state to 1e-4. llama.cpp draws with the mt19937 of its
seed, and ours are given the same numbers.

Where logits tie at the edge of a cut or of a draw, which of the tied ids it is is left open by
C++'s partial sort; then the logits must agree ("tied"). A running sum or a bound that a threshold
meets within float32's rounding may cut or draw one token earlier or later ("edge"). What C++ leaves
undefined is counted apart too ("open"): NaN entropies, and in mirostat 1 a count of tokens that no
int holds. Not compared: breakers that begin with a space, with vocabularies that put one before a
text: there llama.cpp takes the space off every token that it looks at. Exits with 1 where anything
differs otherwise. PEER is an environment with llama-cpp-python, see ``peer_logits.py``.
"""

from __future__ import annotations

import copy
import sys
from functools import cache
from pathlib import Path

import numpy as np
from peer import ask, parser, store

from minengine import Engine
from minengine.candidates import Candidates, greedy
from minengine.draws import Adaptive, Mirostat, draw
from minengine.engine import packaged_model
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
RUNS = {
    "mirostat 1": ((0.5, 1.5, 3.0, 5.0), (0.0, 0.1, 0.5, 1.0)),
    "mirostat 2": ((0.5, 3.0, 5.0, 8.0), (0.0, 0.1, 0.5, 1.0)),
    "adaptive-p": ((-1.0, 0.0, 0.1, 0.5, 0.9, 1.0), (0.0, 0.5, 0.9, 0.99, 1.0)),
}
N_STEPS = 60
BREAKERS = ("\n", ":", '"', "*", " the", "ing", "\n\n", "ABC", "é", "s>", "<s>", "KING", ", and")
VERDICTS = ("equal", "tied", "edge", "open", "differs")


def uniform(seed: int, n: int) -> np.ndarray:
    """The first n numbers that C++'s mt19937 gives std::generate_canonical<double, 53>."""
    raw = np.random.RandomState(seed).randint(0, 2**32, 2 * n, np.uint32).astype(np.float64)
    return (raw[::2] + raw[1::2] * 2.0**32) / 2.0**64


@cache
def breakers(texts: tuple[str, ...]) -> dict:
    with Engine(mode="exact") as engine:
        return engine.breakers(texts)


def random_logits(rng: np.random.Generator, n: int | None = None) -> np.ndarray:
    drawn = int(rng.choice([2, 3, 8, 20, 50, 300, 1500]) if rng.random() < 0.99 else 32000)
    n = n or drawn
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


def others(rng: np.random.Generator, name: str, x: np.ndarray, vocabulary: int) -> tuple:
    """Steps, history and logits of what is no row of ``SAMPLERS`` or more than one."""
    seed, some = int(rng.integers(2**32)), min(len(x), 6)
    history = rng.integers(0, some, int(rng.integers(0, 40))).tolist()
    if name == "logit_bias":
        ids = np.delete(np.arange(len(x)), np.argmax(x))  # not all may be banned
        ids = rng.permutation(ids)[: rng.integers(1, len(x))].tolist()
        return [[name, [[i, float(rng.choice([-np.inf, -1.5, 0.1, 7]))] for i in ids]]], history, x
    if name == "xtc by chance":
        return [["xtc", float(rng.choice([0.3, 0.7])), 0.1, seed]], history, x
    if name == "dry breakers":
        texts = rng.choice(BREAKERS, int(rng.integers(1, 5)), replace=False).tolist()
        heads = [*breakers(tuple(texts)), *range(4)]
        phrase = [*rng.choice(heads, 1).tolist(), *rng.integers(0, vocabulary, 4).tolist()]
        history = []
        for _ in range(int(rng.integers(1, 5))):
            start, end = np.sort(rng.integers(0, 6, 2)).tolist()
            history += [*phrase[start:], *rng.choice(heads, 1).tolist(), *phrase[:end]]
        values = [rng.choice(v).item() for v in ((0.8, 2.0), (1.0, 1.75, 4.0), (0, 1, 2), (9, 64))]
        return [["dry", *values, texts]], history, np.zeros(vocabulary, np.float32)
    return [[name, seed] if name == "dist" else [name]], history, x


def cases(count: int, seed: int, vocabulary: int) -> list[dict]:
    """``count`` cases for each row alone, each other thing and chains of up to all rows in random
    order.
    """
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
    for name in ("logit_bias", "greedy", "dist", "xtc by chance", "dry breakers"):
        for _ in range(count):
            steps, history, x = others(rng, name, random_logits(rng), vocabulary)
            found.append({"group": name, "steps": steps, "history": history, "logits": x})
    return found


def runs(count: int, seed: int, n_tokens: int | None = None) -> list[dict]:
    """``count`` runs for each ending that remembers, each over a few rows of logits in turn."""
    rng, found = np.random.default_rng(seed), []
    for name, choices in RUNS.items():
        for _ in range(count):
            n = n_tokens or int(rng.choice([2, 5, 20, 150, 1000], p=[0.1, 0.2, 0.3, 0.3, 0.1]))
            rows = [random_logits(rng, n) for _ in range(5)]
            if n_tokens or name == "mirostat 1":  # for most others its k is undefined
                rows = [rng.standard_normal(n) * rng.choice([1, 2, 3]) for _ in range(5)]
            rows = [np.round(x, 3 if n_tokens else int(rng.choice([1, 3]))).tolist() for x in rows]
            values = [float(rng.choice(c)) for c in choices]
            job = {"name": name, "seed": int(rng.integers(2**32)), "values": values}
            found.append({**job, "rows": rows, "steps": N_STEPS})
    return found


def all_of(x: list | np.ndarray) -> Candidates:
    return Candidates(np.arange(len(x), dtype=np.int32), np.asarray(x, np.float32))


def ours(case: dict) -> tuple[np.ndarray, np.ndarray, int]:
    """Ids that are left with a probability, their probabilities in float64, and the id that was
    drawn, or -1.

    Notes in the case where llama.cpp leaves open what typical_p does: with a candidate of
    probability 0 its entropy is NaN, and it sorts by that.
    """
    chain, c, drawn = Chain(seed=0), all_of(case["logits"]), -1
    chain.history = list(case["history"])
    rows = {row.name: row for row in SAMPLERS}
    for name, *v in case["steps"]:
        chain._chances, chain.breakers = (0.0, 0.5), {}
        if name == "typical_p" and v[0] < 1 and not c.probabilities().all():
            case["open"] = True
        if name == "logit_bias":
            c = Chain(logit_bias=dict(v[0]), samplers=()).candidates(c.logits)
        elif name == "greedy":
            drawn = int(np.argmax(greedy(c).logits))
        elif name == "dist":
            case["u"] = float(uniform(v[0], 1)[0])
            drawn = int(c.ids[draw(c, case["u"])])
        else:
            if name == "dry" and len(v) == 5:
                chain.breakers = breakers(tuple(v.pop()))
            if name == "xtc" and len(v) == 3:  # as a float it takes one word of the generator
                word = np.random.RandomState(v.pop()).randint(0, 2**32, 1, np.uint32)
                chain._chances = (0.0, float(word.astype(np.float32)[0] / np.float32(2**32)))
                case["u"] = chain._chances[1]
            c = rows[name].apply(c, chain, *v)
    return (*left(c.ids, c.logits), drawn)


def our_run(job: dict, drawn: np.ndarray, states: np.ndarray) -> str:
    """The verdict on a run, given what llama.cpp drew and remembered; notes in it the numbers u."""
    make = (
        Adaptive if job["name"] == "adaptive-p" else lambda *v: Mirostat(int(job["name"][-1]), *v)
    )
    end, numbers, job["u"] = make(*job["values"]), iter(uniform(job["seed"], job["steps"])), []
    said = "equal"
    for i, (theirs, state) in enumerate(zip(drawn, states, strict=True)):
        c = all_of(job["rows"][i % len(job["rows"])])
        if isinstance(end, Mirostat):
            end.n_vocab, c = len(c), c.sorted()
            if end.version == 1 and undefined(end, c):
                return "open"
        alone = len(end.keep(c) if isinstance(end, Mirostat) else c) == 1  # C++ draws nothing then
        job["u"].append(0.0 if alone else float(next(numbers)))
        before, at = copy.copy(end), end(c, job["u"][-1])
        want = int(np.flatnonzero(c.ids == theirs)[0])
        if c.logits[at] != c.logits[want]:
            return "edge" if near(before, c, job["u"][-1], want) else "differs"
        said = "tied" if at != want else said
        end.learn()
        mine = [end.mu, 0.0] if isinstance(end, Mirostat) else [end.total, end.weight]
        if job["values"][0] >= 0 and not np.allclose(mine, state, rtol=1e-4, atol=1e-4):
            return "differs"
    return said


def near(end: Mirostat | Adaptive, c: Candidates, u: float, want: int) -> bool:
    """Would it draw a token of the wanted logit, had it rounded otherwise?"""
    for shift in (-1e-4, 0, 1e-4):
        for v in (u - 1e-6, u, u + 1e-6):
            other = copy.copy(end)
            if isinstance(other, Mirostat):
                other.mu += shift
            if c.logits[other(c, min(max(v, 0), 1))] == c.logits[want]:
                return True
    return False


def undefined(end: Mirostat, c: Candidates) -> bool:
    """Is mirostat 1's number of tokens, as C++ computes it, none that an int can hold?"""
    p = c.probabilities()[:100].astype(np.float64)
    with np.errstate(all="ignore"):
        t, b = (
            np.log((np.arange(len(p) - 1) + 2) / (np.arange(len(p) - 1) + 1)),
            np.log(p[:-1] / p[1:]),
        )
        s = np.sum(t * b) / np.sum(t * t)
        k = ((s - 1) * 2.0**end.mu / (1 - float(len(c)) ** (1 - s))) ** (1 / s)
    return not p.all() or not abs(k) < 2**31


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
    if mine[2] != theirs[2]:
        return "edge" if np.abs(np.cumsum(mine[1]) - case["u"]).min() < 1e-6 else "differs"
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


def ask_peer(python: str, work: Path, found: list[dict], run: list[dict]) -> tuple[list, list]:
    """What llama.cpp leaves and draws in each case; what it draws and remembers in each run."""
    asked = [{**c, "logits": [float(v) for v in c["logits"]]} for c in found]
    job = {"model": packaged_model(), "cases": asked, "runs": run}
    out = ask(python, "peer_llamacpp_samplers.py", work, job)
    ends = out["ends"]
    starts = np.concatenate(([0], ends[:-1]))
    rows = zip(starts, ends, out["drawn"].tolist(), strict=True)
    kept = [(*left(out["ids"][a:b], out["logits"][a:b]), drawn) for a, b, drawn in rows]
    return kept, list(zip(out["run_drawn"], out["run_states"], strict=True))


def write_golden(folder: Path, python: str, work: Path, vocabulary: int) -> None:
    kept, counts, rows = [], {}, []
    for c in cases(120, 5, vocabulary):
        if len(c["logits"]) <= 50 or c["group"] == "dry breakers":
            counts[c["group"]] = counts.get(c["group"], 0) + 1
            if counts[c["group"]] <= (60 if c["group"] == "chain" else 20):
                kept.append(c)
    run = runs(8, 5, n_tokens=12)
    answers, run_answers = ask_peer(python, work, kept, run)
    for c, theirs in zip(kept, answers, strict=True):
        if verdict(c, ours(c), theirs) == "equal":
            ids, p, drawn = theirs
            known = {"ids": ids.tolist(), "p": [float(f"{v:.7g}") for v in p], "drawn": drawn}
            if c["group"] == "dry breakers":  # all alike but for the few that DRY hits
                hit = np.flatnonzero(p < p.max() * (1 - 1e-6))
                known = {"n": len(p), "hit": {int(ids[i]): float(f"{p[i]:.7g}") for i in hit}}
                c = {**c, "logits": []}
            rows.append({**c, "logits": [float(v) for v in c["logits"]], **known})
    kept_runs = []
    for job, (drawn, states) in zip(run, run_answers, strict=True):
        if our_run(job, drawn, states) == "equal":
            known = {"drawn": drawn.tolist(), "states": np.round(states, 5).tolist()}
            kept_runs.append({**job, **known})
    said = f"{len(rows)} of {len(kept)} cases, {len(kept_runs)} of {len(run)} runs, "
    store(folder / "samplers.json", {"cases": rows, "runs": kept_runs}, said)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--count", type=int, default=1000)
    flags.add_argument("--seed", type=int, default=1)
    args = flags.parse_args()
    with Engine(mode="exact") as engine:
        vocabulary = engine.model.hparams.V
    found, run = cases(args.count, args.seed, vocabulary), runs(args.count // 4, args.seed)
    counts: dict[str, dict[str, int]] = {}
    answers, run_answers = ask_peer(args.peer, args.work, found, run)
    for case, theirs in zip(found, answers, strict=True):
        mine = ours(case)
        said = verdict(case, mine, theirs)
        row = counts.setdefault(case["group"], dict.fromkeys(VERDICTS, 0))
        row[said] += 1
        if said == "differs" and row[said] <= 3:
            print(
                f"{case['steps']} of {len(case['logits'])}: {len(mine[0])}, {len(theirs[0])} left"
            )
    for job, theirs in zip(run, run_answers, strict=True):
        row = counts.setdefault(job["name"], dict.fromkeys(VERDICTS, 0))
        said = our_run(job, *theirs)
        row[said] += 1
        if said == "differs" and row[said] <= 3:
            print(f"{job['name']} {job['values']} of {len(job['rows'][0])}: step {len(job['u'])}")
    for group, row in counts.items():
        print(f"{group:14} " + "  ".join(f"{k} {v:5}" for k, v in row.items()))
    if args.golden:
        write_golden(args.golden, args.peer, args.work, vocabulary)
    sys.exit(any(row["differs"] for row in counts.values()))


if __name__ == "__main__":
    main()
