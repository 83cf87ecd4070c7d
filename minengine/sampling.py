"""From a row of logits to a token id: a chain of samplers, then one draw.

Owns: the table of samplers with their parameters, defaults and help (``SAMPLERS``, from which flags
and tests are made), the order, the random numbers, the history. Must not know: the network, the
cache, text. Read before: ``candidates.py``, ``penalties.py``, ``draws.py``, which do the work.

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
from minengine.penalties import dry, penalties


@dataclass(frozen=True)
class Parameter:
    """A number that a sampler takes: its name, type, default, the least value that makes sense."""

    name: str
    type: type
    default: Any
    minimum: float
    help: str

    def check(self, value: Any) -> Any:
        """``value`` as this type. Errors: ``RequestError`` says what was wanted."""
        want = {bool: "true or false", int: "a whole number", float: "a number"}[self.type]
        number = isinstance(value, (int, float, np.number, np.bool_)) and math.isfinite(value)
        if not number or (self.type is not float and value != self.type(value)):
            raise RequestError(f"{self.name}: got {value!r}, want {want}")
        if value < self.minimum:
            raise RequestError(f"{self.name}: got {value!r}, want at least {self.minimum:g}")
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
    ``breakers`` are DRY's, see ``penalties.dry``; ``seed`` None takes one from the system. Every
    token uses up exactly two uniform numbers, so token n depends on draw n alone, whatever the
    parameters are and whoever runs beside it. Errors: ``RequestError`` says which option is wrong.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        samplers: str | Sequence[str] | None = None,
        logit_bias: Mapping[int, float] | None = None,
        breakers: Mapping[int, Sequence[Sequence[int]]] | None = None,
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

    def candidates(self, logits: np.ndarray) -> Candidates:
        """The tokens that are left of logits (V,), any float type, after every step.

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
        if self.values["greedy"]:
            return greedy(c)
        if self.values["mirostat"]:  # takes the place of the whole chain but for temperature
            return temperature(c, self.values["temperature"])
        for step in self.steps:
            c = step.apply(c, self, *(self.values[p.name] for p in step.parameters))
        return c

    def pick(self, logits: np.ndarray) -> int:
        """The next token id, which the caller may ``accept``."""
        self._chances = tuple(self._rng.random(2))
        c = self.candidates(logits)
        if isinstance(self._end, Mirostat):
            self._end.n_vocab, c = len(logits), c.sorted()
        return int(c.ids[self._end(c, self._chances[0])])

    def accept(self, token: int) -> None:
        """Note a token of the text: the penalties look back at it."""
        self.history.append(int(token))

    def sample(self, logits: np.ndarray) -> int:
        """Pick the next token and accept it."""
        token = self.pick(logits)
        self.accept(token)
        return token

    def forget(self, n: int) -> None:
        """Take the last n accepted tokens out of the history."""
        del self.history[max(0, len(self.history) - n) :]

    def reseed(self, seed: int) -> None:
        """Go on with the random numbers of another seed."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> dict[str, Any]:
        """All of it as JSON has it; ``from_state`` goes on from there."""
        end = {k: v for k, v in vars(self._end).items() if type(v) in (int, float)}
        return {
            "values": self.values, "samplers": [row.name for row in self.steps],
            "bias": list(self.bias.items()), "breakers": list(self.breakers.items()),
            "history": self.history, "rng": self._rng.bit_generator.state, "end": end,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Chain:
        """A chain as ``state`` gave it. ValueError, TypeError or KeyError for what none gives."""
        chain = cls(
            samplers=state["samplers"], logit_bias=dict(state["bias"]),
            breakers=dict(state["breakers"]), **state["values"],
        )  # fmt: skip
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
            Parameter("penalty_last_n", int, 64, 0, "tokens to look back at; 0 is off"),
            Parameter("repeat_penalty", float, 1.0, 0.01, "divides what was said; 1 is off"),
            Parameter("frequency_penalty", float, 0.0, -100, "for each time it was said; 0 off"),
            Parameter("presence_penalty", float, 0.0, -100, "where it was said at all; 0 is off"),
        ),
        lambda c, chain, *v: penalties(c, chain.history, *v),
    ),
    Sampler(
        "dry",
        (
            Parameter("dry_multiplier", float, 0.0, 0, "against repeated passages; 0 is off"),
            Parameter("dry_base", float, 1.75, 0, "grows by this with each token of a passage"),
            Parameter("dry_allowed_length", int, 2, 0, "passages up to this long are free"),
            Parameter("dry_last_n", int, 64, 0, "tokens that DRY looks back at; 0 is off"),
        ),
        lambda c, chain, *v: dry(c, chain.history, *v, chain.breakers),
    ),
    Sampler(
        "top_n_sigma",
        (Parameter("top_n_sigma", float, -1.0, -1, "within n deviations of the best; -1 is off"),),
        lambda c, chain, n: top_n_sigma(c, n),
    ),
    Sampler(
        "top_k",
        (Parameter("top_k", int, 40, -1, "only the k likeliest tokens; 0 is off"),),
        lambda c, chain, k: top_k(c, k),
    ),
    Sampler(
        "typical_p",
        (Parameter("typical_p", float, 1.0, 0, "only tokens of typical surprise; 1 is off"),),
        lambda c, chain, p: typical_p(c, p),
    ),
    Sampler(
        "top_p",
        (
            Parameter(
                "top_p", float, 0.95, 0,
                "only the likeliest tokens that together reach p; 1 is off",
            ),
        ),
        lambda c, chain, p: top_p(c, p),
    ),
    Sampler(
        "min_p",
        (Parameter("min_p", float, 0.05, 0, "at least p times as likely as the best; 0 is off"),),
        lambda c, chain, p: min_p(c, p),
    ),
    Sampler(
        "xtc",
        (
            Parameter("xtc_probability", float, 0.0, 0, "how often top choices go; 0 is off"),
            Parameter("xtc_threshold", float, 0.1, 0, "what is a top choice; over 0.5 is off"),
        ),
        lambda c, chain, *v: xtc(c, *v, chain._chances[1]),
    ),
    Sampler(
        "temperature",
        (
            Parameter("temperature", float, 0.8, 0, "below 1 safer, above 1 wilder, 0 is greedy"),
            Parameter("dynatemp_range", float, 0.0, 0, "temperature follows entropy; 0 is off"),
            Parameter("dynatemp_exponent", float, 1.0, 0, "how it follows"),
        ),
        lambda c, chain, *v: temperature(c, *v),
    ),
)  # fmt: skip

ENDINGS: tuple[Parameter, ...] = (
    Parameter("greedy", bool, False, 0, "always the likeliest token; nothing is left to chance"),
    Parameter("mirostat", int, 0, 0, "1 or 2 steers surprise in place of the chain; 0 is off"),
    Parameter("mirostat_tau", float, 5.0, 0, "surprise that mirostat aims at, bits a token"),
    Parameter("mirostat_eta", float, 0.1, 0, "how fast mirostat learns"),
    Parameter("adaptive_target", float, -1.0, -1, "probability to aim at; -1 is off"),
    Parameter("adaptive_decay", float, 0.9, 0, "how long adaptive-p remembers"),
)

PARAMETERS: dict[str, Parameter] = {
    p.name: p for p in (*(p for row in SAMPLERS for p in row.parameters), *ENDINGS)
}
