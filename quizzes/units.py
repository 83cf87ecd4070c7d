"""Numbers with units: how a reply is read exactly, and how an answer is printed.

Owns: ``UNITS`` and the grammar of a number. Must not know: questions. Read before: nothing. A reply
becomes a ``Fraction``, so "0.5 MiB", "512 KiB" and "524,288" are the same number, bit for bit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real

from .errors import AnswerError

LONGEST = 80


@dataclass(frozen=True)
class Unit:
    """A kind of quantity: what its suffixes multiply by and what to type."""

    hint: str
    suffixes: dict[str, Fraction]
    ladder: tuple[tuple[str, int], ...] = ()


def scaled(word: str, *, kibi: bool = False) -> dict[str, Fraction]:
    """Suffixes for ``word`` with k, M, G, T (and Ki, Mi, Gi, Ti) before it."""
    sizes = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
    if kibi:
        sizes |= {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
    return {prefix + word: Fraction(size) for prefix, size in sizes.items()}


def parse(text: str, unit: str) -> Fraction:
    """The number a reply means, in the base of ``unit``: "512 KiB" -> 524288, "1/4" -> 1/4.

    A comma separates thousands only; AnswerError says what cannot be read and what to write.
    """
    cleaned = text.strip().replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ")
    shown = repr(cleaned[:LONGEST])
    match = PATTERN.fullmatch(cleaned) if len(cleaned) <= LONGEST else None
    if match is None:
        raise AnswerError(f"{shown} is not a number ({UNITS[unit].hint})")
    value = number(match["number"])
    if match["divisor"]:
        divisor = number(match["divisor"])
        if divisor == 0:
            raise AnswerError(f"{shown} divides by zero")
        value /= divisor
    suffix = " ".join(match["suffix"].casefold().split())
    if suffix not in UNITS[unit].suffixes:
        raise AnswerError(f"{match['suffix']!r} is not a unit here ({UNITS[unit].hint})")
    return value * UNITS[unit].suffixes[suffix]


DIGITS = r"[+-]?[0-9.,_]*[0-9][0-9.,_]*(?:[eE][+-]?[0-9]{1,3})?"
PATTERN = re.compile(
    rf"(?P<number>{DIGITS})\s*(?:[/:]\s*(?P<divisor>{DIGITS}))?\s*(?P<suffix>[^0-9]*)"
)
PLAIN = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*|(?=\.[0-9]))"
    r"(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?"
)


def number(text: str) -> Fraction:
    """A number without its unit, exactly."""
    if not PLAIN.fullmatch(text):
        hint = "; a comma separates thousands, a point decimals" if "," in text else ""
        raise AnswerError(f"{text!r} is not a number{hint}")
    return Fraction(text.replace(",", "").replace("_", ""))


def exact(value: object) -> Fraction:
    """An answer as a Fraction: a float is taken as the number it is; ValueError unless finite."""
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Real) and math.isfinite(value):
        return Fraction(float(value))
    raise ValueError(f"{value!r} is not a finite number")


def near(value: Fraction, answer: Fraction, tolerance: float) -> bool:
    """``|value - answer| <= tolerance * |answer|``, exactly."""
    return abs(value - answer) <= Fraction(str(tolerance)) * abs(answer)


def bounds(answer: Fraction, tolerance: float) -> tuple[Fraction, Fraction]:
    """The least and the greatest value that ``near`` takes for ``answer``."""
    margin = Fraction(str(tolerance)) * abs(answer)
    return answer - margin, answer + margin


def decimal(value: Fraction) -> str:
    """Digits, a sign and a point alone, as programs read a number: the shortest that is this float.

    A whole number has all its digits.
    """
    if value.denominator == 1:
        return str(value.numerator)
    return format(Decimal(repr(float(value))), "f")


def show(value: object, unit: str = "number") -> str:
    """An answer as people write it: "524,288 bytes (512 KiB)", "0.7311", "(4, 8, 64)", "True"."""
    if isinstance(value, bool | str) or not isinstance(value, Real):
        return str(value)
    size = exact(value)
    plain = f"{int(size):,}" if size.denominator == 1 else f"{float(size):.4g}"
    words = ("bytes", "FLOP", "parameters", "seconds")
    word = f" {unit}" if unit in words else ""
    for suffix, step in UNITS[unit].ladder:
        if abs(size) >= step:
            scaled_value = size / step
            about = "" if Fraction(f"{float(scaled_value):.4g}") == scaled_value else "about "
            return f"{plain}{word} ({about}{float(scaled_value):.4g} {suffix})"
    return plain + word


UNITS: dict[str, Unit] = {
    "number": Unit("a number: 12, 1,024, 0.25, 1e6 or 3/4", {"": Fraction(1)}),
    "ratio": Unit(
        "a ratio: 0.25, 1/4, 25 % or 4x",
        {"": Fraction(1), "%": Fraction(1, 100), "x": Fraction(1), "×": Fraction(1)},
    ),
    "bytes": Unit(
        "bytes: 524288, 512 KiB, 0.5 MiB or GiB (kB, MB, GB are powers of ten)",
        {"": Fraction(1), "byte": Fraction(1), "bytes": Fraction(1)} | scaled("b", kibi=True),
        (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)),
    ),
    "parameters": Unit(
        "a count: 65536, 3.5M, 7B or 1.2e6",
        {"k": Fraction(10**3), "m": Fraction(10**6), "b": Fraction(10**9)}
        | {"": Fraction(1), "parameter": Fraction(1), "parameters": Fraction(1)},
        (("B", 10**9), ("M", 10**6)),
    ),
    "FLOP": Unit(
        "operations: 1e6, 2.5 MFLOP or 3 GFLOP",
        {"": Fraction(1)} | scaled("flop") | scaled("flops"),
        (("GFLOP", 10**9), ("MFLOP", 10**6)),
    ),
    "tokens": Unit(
        "a number of tokens: 12", {"": Fraction(1), "token": Fraction(1), "tokens": Fraction(1)}
    ),
    "seconds": Unit(
        "seconds: 0.025, 25 ms or 250 us",
        {"": Fraction(1), "s": Fraction(1), "second": Fraction(1), "seconds": Fraction(1)}
        | {"ms": Fraction(1, 10**3)}
        | dict.fromkeys(("us", "µs", "μs"), Fraction(1, 10**6)),
    ),
    "radians": Unit(
        "radians: 0.25 (or degrees: 14.3 deg)",
        {"": Fraction(1), "rad": Fraction(1), "radians": Fraction(1)}
        | dict.fromkeys(("deg", "degrees", "°"), Fraction(math.pi) / 180),
    ),
}
