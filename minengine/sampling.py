"""From a row of logits to a token id: a chain of samplers, then one draw.

Owns: the table of samplers with their parameters, defaults and help (``SAMPLERS``, from which flags
and tests are made), the order, the random numbers, the history. Must not know: the network, the
cache, text. Read before: ``candidates.py``, ``penalties.py``, ``draws.py``, ``grammar.py``, which
do the work.

Names, defaults and the order of the rows are llama.cpp's: what is cut is cut before temperature
bends it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minengine.candidates import (
    Candidates,
    F,
    greedy,
    min_p,
    temperature,
    top_k,
    top_n_sigma,
    top_p,
    typical_p,
    xtc,
)
from minengine.draws import Adaptive, Dist, Mirostat
from minengine.errors import ModelError, RequestError
from minengine.grammar import Matcher
from minengine.penalties import dry, penalties

LARGEST = 2**31  # of any parameter; more would overflow in single precision


@dataclass(frozen=True)
class Parameter:
    """A number that a sampler takes: its name, type, default, the least value that makes sense."""

    name: str
    type: type
    default: Any
    minimum: float
    help: str

    @property
    def want(self) -> str:
        return {bool: "true or false", int: "a whole number", float: "a number"}[self.type]

    def check(self, value: Any) -> Any:
        """``value`` as this type. Errors: ``RequestError`` says what was wanted."""
        number = isinstance(value, (int, float, np.number, np.bool_)) and abs(value) < math.inf
        if not number or (self.type is not float and value != self.type(value)):
            raise RequestError(f"{self.name}: got {value!r}, want {self.want}")
        if value < self.minimum:
            raise RequestError(f"{self.name}: got {value!r}, want at least {self.minimum:g}")
        if value > LARGEST:
            raise RequestError(f"{self.name}: got {value!r}, want at most {LARGEST}")
        return self.type(value)


@dataclass(frozen=True)
class Sampler:
    """One row: a step of the chain, its parameters, the function (candidates, chain, values)."""

    name: str
    parameters: tuple[Parameter, ...]
    apply: Callable[..., Candidates]


class Chain:
    """The samplers with their values and one stream of random numbers: logits in, token id out.

    Options are the names of ``PARAMETERS``; ``samplers`` the steps in their order, all of
    ``SAMPLERS`` unless given; ``logit_bias`` adds to the logits of token ids (-inf bans one);
    ``breakers`` are DRY's, see ``penalties.dry``; ``grammar`` knows which tokens may come next;
    ``seed`` None takes one from the system. Every token uses up exactly two uniform numbers, four
    with a grammar, so token n depends on draw n alone, whatever the parameters are and whoever runs
    beside it. Errors: ``RequestError`` says which option is wrong.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        samplers: str | Sequence[str] | None = None,
        logit_bias: Mapping[int, float] | None = None,
        breakers: Mapping[int, Sequence[Sequence[int]]] | None = None,
        grammar: Matcher | None = None,
        **options: Any,
    ) -> None:
        unknown = options.keys() - PARAMETERS.keys()
        if unknown:
            names = ", ".join(PARAMETERS)
            raise RequestError(f"{', '.join(sorted(unknown))}: no such sampler; there are {names}")
        if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
            raise RequestError(f"seed: got {seed!r}, want a whole number from 0 on")
        self.values = {p.name: p.check(options.get(p.name, p.default)) for p in PARAMETERS.values()}
        self.steps = steps_of(samplers)
        self.bias = checked_bias(logit_bias or {})
        self.breakers = dict(breakers or {})
        self.grammar = grammar
        self.history: list[int] = []
        self._rng = np.random.default_rng(seed)
        self._chances = (0.0, 0.0)
        self._end = self._ending()

    def _ending(self) -> Callable[[Candidates, float], int]:
        """What picks the token: mirostat, adaptive-p or a plain draw."""
        v = self.values
        if v["mirostat"]:
            if v["mirostat"] > 2:
                raise RequestError(f"mirostat: got {v['mirostat']}, want 0, 1 or 2")
            return Mirostat(v["mirostat"], v["mirostat_tau"], v["mirostat_eta"])
        if v["adaptive_target"] >= 0:
            return Adaptive(v["adaptive_target"], v["adaptive_decay"])
        return Dist()

    def candidates(self, logits: np.ndarray, allowed: np.ndarray | None = None) -> Candidates:
        """The tokens that are left of logits (V,), any float type, after every step.

        Those that ``allowed``, bool (V,), leaves out are no candidates from the start: a step that
        prefers the unlikely would choose what is ruled out.
        Errors: ``ModelError`` for NaN or infinite logits, which only broken weights make.
        """
        x = np.array(logits, dtype=F)
        bad = np.flatnonzero(np.isnan(x) | (x == np.inf))
        if x.ndim != 1 or not x.size or bad.size or not np.isfinite(x).any():
            what = (
                f"{x[bad[0]]} for token {bad[0]}" if bad.size and x.ndim == 1 else "nothing finite"
            )
            raise ModelError(f"logits of shape {x.shape}: {what}, so no token can be drawn")
        for token, bias in self.bias.items():
            if token >= x.size:
                raise RequestError(f"logit_bias: token {token}, there are {x.size}")
            x[token] += F(bias)
        if not np.isfinite(x).any():
            raise RequestError("logit_bias: every token is banned")
        c = Candidates(np.arange(x.size, dtype=np.int32), x)
        if allowed is not None:
            some = np.flatnonzero(allowed & np.isfinite(x))
            if not some.size:
                raise RequestError("logit_bias: every token that the grammar allows is banned")
            c = Candidates(c.ids[some], x[some])
        if self.values["greedy"]:
            return greedy(c)
        if self.values["mirostat"]:  # takes the place of the whole chain but for temperature
            return temperature(c, self.values["temperature"])
        for step in self.steps:
            c = step.apply(c, self, *(self.values[p.name] for p in step.parameters))
        return c

    def pick(self, logits: np.ndarray) -> int:
        """The next token id, which the caller may ``accept``.

        Most tokens fit the grammar as they are. Where one does not, the whole chain runs again on
        the logits of those that do, with numbers of its own: those that led to the first token
        would favour its neighbours.
        """
        chances = self._rng.random(2 if self.grammar is None else 4)
        token = self._draw(logits, chances[:2])
        if self.grammar is not None and not self.grammar.accepts(token):
            token = self._draw(logits, chances[2:], self.grammar.allowed())
        self._end.learn()
        return token

    def _draw(
        self, logits: np.ndarray, chances: np.ndarray, allowed: np.ndarray | None = None
    ) -> int:
        self._chances = tuple(chances)
        c = self.candidates(logits, allowed)
        if isinstance(self._end, Mirostat):
            self._end.n_vocab, c = len(logits), c.sorted()
        return int(c.ids[self._end(c, self._chances[0])])

    def recall(self, tokens: Sequence[int]) -> None:
        """Note the tokens of a prompt: the penalties look back at them, the grammar begins after
        them.
        """
        self.history += map(int, tokens)

    def accept(self, token: int) -> None:
        """Note a token of the answer: the penalties look back at it, the grammar goes on by it."""
        if self.grammar is not None:
            self.grammar.accept(token)
        self.history.append(int(token))

    def sample(self, logits: np.ndarray) -> int:
        """Pick the next token and accept it."""
        token = self.pick(logits)
        self.accept(token)
        return token

    def forget(self, n: int) -> None:
        """Take back the last n tokens: out of the history, and of what the grammar has matched."""
        del self.history[max(0, len(self.history) - n) :]
        if self.grammar is not None:
            self.grammar.rewind(n)

    def reseed(self, seed: int) -> None:
        """Go on with the random numbers of another seed."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> dict[str, Any]:
        """All of it as JSON has it; ``from_state`` goes on from there."""
        end = {k: v for k, v in vars(self._end).items() if type(v) in (int, float)}
        matched = self.grammar and [self.grammar.grammar.text, self.grammar.taken]
        return {
            "values": self.values, "samplers": [row.name for row in self.steps],
            "bias": list(self.bias.items()), "breakers": list(self.breakers.items()),
            "history": self.history, "rng": self._rng.bit_generator.state, "end": end,
            "grammar": matched,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any], matcher: Callable[[str], Matcher]) -> Chain:
        """A chain as ``state`` gave it; ``matcher`` makes one of a grammar's text.

        ValueError, TypeError, KeyError or RequestError for what no chain gives.
        """
        grammar = state["grammar"] and matcher(state["grammar"][0])
        chain = cls(
            samplers=state["samplers"], logit_bias=dict(state["bias"]), grammar=grammar,
            breakers=dict(state["breakers"]), **state["values"],
        )  # fmt: skip
        for token in state["grammar"][1] if grammar else ():
            grammar.accept(token)
        chain.history = [int(token) for token in state["history"]]
        chain._rng.bit_generator.state = state["rng"]
        known = vars(chain._end)
        for name, value in state["end"].items():
            if type(known[name]) is not type(value):
                raise ValueError(f"{name}: {value!r}")
            known[name] = value
        return chain

    def copy(self) -> Chain:
        """A chain in the same state: the two go on alike, and apart from each other."""
        return copy.deepcopy(self)


def steps_of(names: str | Sequence[str] | None) -> tuple[Sampler, ...]:
    """The steps of a chain by name, "top_k;temperature" or a list; all in their order unless
    given.
    """
    if names is None:
        return SAMPLERS
    names = [n.strip() for n in names.split(";") if n.strip()] if isinstance(names, str) else names
    rows = {row.name: row for row in SAMPLERS}
    unknown = [n for n in names if n not in rows]
    if unknown:
        raise RequestError(f"samplers: {unknown[0]!r}, there are {'; '.join(rows)}")
    return tuple(rows[n] for n in names)


def checked_bias(bias: Mapping[int, float]) -> dict[int, float]:
    """Token ids and what is added to their logits; -inf bans a token."""
    found = {}
    for token, value in bias.items():
        whole = isinstance(token, (int, np.integer)) and token >= 0
        number = isinstance(value, (int, float, np.number)) and value < math.inf
        if not whole or not number:
            raise RequestError(
                f"logit_bias: got {token!r}: {value!r}, want a token id and a number"
            )
        found[int(token)] = float(value)
    return found


SAMPLERS: tuple[Sampler, ...] = (
    Sampler(
        "penalties",
        (
            Parameter("penalty_last_n", int, 64, 0, "Tokens they look back at; 0 is off."),
            Parameter("repeat_penalty", float, 1.0, 0.01, "Divides what was used; 1 is off."),
            Parameter("frequency_penalty", float, 0.0, -100, "Taken off per use; 0 is off."),
            Parameter("presence_penalty", float, 0.0, -100, "Taken off if used; 0 is off."),
        ),
        lambda c, chain, *v: penalties(c, chain.history, *v),
    ),
    Sampler(
        "dry",
        (
            Parameter("dry_multiplier", float, 0.0, 0, "Against repeated passages; 0 is off."),
            Parameter("dry_base", float, 1.75, 0, "Grows by this with each token of a passage."),
            Parameter("dry_allowed_length", int, 2, 0, "So many tokens of a passage are free."),
            Parameter("dry_last_n", int, 64, 0, "Tokens that it looks back at; 0 is off."),
        ),
        lambda c, chain, *v: dry(c, chain.history, *v, chain.breakers),
    ),
    Sampler(
        "top_n_sigma",
        (Parameter("top_n_sigma", float, -1.0, -1, "Within n deviations of the best; -1 is off."),),
        lambda c, chain, n: top_n_sigma(c, n),
    ),
    Sampler(
        "top_k",
        (Parameter("top_k", int, 40, -1, "Only the k likeliest; 0 is off."),),
        lambda c, chain, k: top_k(c, k),
    ),
    Sampler(
        "typical_p",
        (Parameter("typical_p", float, 1.0, 0, "Only tokens of typical surprise; 1 is off."),),
        lambda c, chain, p: typical_p(c, p),
    ),
    Sampler(
        "top_p",
        (
            Parameter("top_p", float, 0.95, 0, "Only the likeliest up to a sum of p; 1: off."),
        ),
        lambda c, chain, p: top_p(c, p),
    ),
    Sampler(
        "min_p",
        (Parameter("min_p", float, 0.05, 0, "From p times the best's chance on; 0 is off."),),
        lambda c, chain, p: min_p(c, p),
    ),
    Sampler(
        "xtc",
        (
            Parameter("xtc_probability", float, 0.0, 0, "How often top choices go; 0 is off."),
            Parameter("xtc_threshold", float, 0.1, 0, "From here on a top choice; over 0.5: off."),
        ),
        lambda c, chain, *v: xtc(c, *v, chain._chances[1]),
    ),
    Sampler(
        "temperature",
        (
            Parameter("temperature", float, 0.8, 0, "Below 1 safer, above 1 wilder, 0 is greedy."),
            Parameter("dynatemp_range", float, 0.0, 0, "It follows the entropy so far; 0: off."),
            Parameter("dynatemp_exponent", float, 1.0, 0, "How; above 1 it stays low longer."),
        ),
        lambda c, chain, *v: temperature(c, *v),
    ),
)  # fmt: skip

ENDINGS: tuple[Parameter, ...] = (
    Parameter("greedy", bool, False, 0, "Always the likeliest token; the rest is ignored."),
    Parameter(
        "mirostat",
        int,
        0,
        0,
        "1 or 2 steers surprise, with temperature alone; 0 is off.",
    ),
    Parameter("mirostat_tau", float, 5.0, 0, "Surprise that it aims at, in bits a token."),
    Parameter("mirostat_eta", float, 0.1, 0, "How fast it learns."),
    Parameter("adaptive_target", float, -1.0, -1, "Adaptive-p: probability to aim at; -1 is off."),
    Parameter("adaptive_decay", float, 0.9, 0, "How long it remembers; 0.9: some 10 tokens."),
)

PARAMETERS: dict[str, Parameter] = {
    p.name: p for p in (*(p for row in SAMPLERS for p in row.parameters), *ENDINGS)
}
