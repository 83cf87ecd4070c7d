"""A paper: which questions of a bank one student gets, with which parameters, in which order.

Owns: the seeded draw, and asking ``ANSWERS`` (or running a question's code) for what is right. Must
not know: terminals, files of replies. Read before: ``schema.py``. Next: ``marking.py``.

The draw is SHA-256 in counter mode, so it is the same on every machine and Python version. Each
question is drawn from a key of its own: a new question in the bank changes which questions a paper
has, never what is in the others.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from . import units
from .answers import ANSWERS
from .errors import DrawError, Unclear
from .expression import Expression
from .schema import (
    PLACEHOLDER,
    Bank,
    Call,
    Choice,
    Pick,
    Plan,
    Question,
    Range,
    load_banks,
    load_papers,
)

T = TypeVar("T")
LETTERS = "abcdefghijklmnop"
SECRET_SEED = "(secret)"  # what a paper drawn with a course's secret says of its seed
TIE = 0.01  # keys of an order question closer than this share have no clear order
ATTEMPTS = 50  # draws of one question until its answer is clear and its choices differ


@dataclass(frozen=True)
class Option:
    """A choice as it stands on the paper, or a known mistake with its value."""

    letter: str
    text: str
    right: bool
    why: str
    value: object = None


@dataclass(frozen=True)
class Asked:
    """A question as it stands on one student's paper, and what is right.

    ``answer`` is a Fraction (number), letters (choice, choices, order: in the right order) or a
    line of text (code).
    ``identity`` names what was drawn, without what the engine computed from it.
    """

    id: str
    kind: str
    topic: str
    text: str
    code: str
    options: tuple[Option, ...]
    mistakes: tuple[Option, ...]
    answer: Fraction | tuple[str, ...] | str
    shown: str
    why: str
    unit: str
    tolerance: float
    identity: str
    computed: bool
    attempts: int


@dataclass(frozen=True)
class Paper:
    """The questions one student answers; ``digest`` tells papers apart without telling answers."""

    plan: Plan
    student: str
    seed: str
    questions: tuple[Asked, ...]

    @property
    def digest(self) -> str:
        """A name of this paper: changes with quiz, questions, parameters and order of choices."""
        parts = [self.plan.quiz, *(q.identity for q in self.questions)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def n_needed(self) -> int:
        """Right answers that pass: the pass mark rounded up."""
        return math.ceil(Fraction(str(self.plan.pass_mark)) * len(self.questions))


class Stream:
    """Uniform draws from a key: blocks of SHA-256(key, counter) read as 64-bit numbers."""

    def __init__(self, key: bytes) -> None:
        self.key, self.n_drawn = key, 0

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1; values in the uneven tail of 2^64 are drawn again."""
        while True:
            block = hashlib.sha256(self.key + self.n_drawn.to_bytes(8, "big")).digest()
            self.n_drawn += 1
            value = int.from_bytes(block[:8], "big")
            if value < 2**64 - 2**64 % n:
                return value % n

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in another order (Fisher and Yates)."""
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = self.below(i + 1)
            out[i], out[j] = out[j], out[i]
        return out


def key(seed: int | str | bytes, *names: str) -> bytes:
    """The key of one draw. A bytes seed is a course's secret and never equals a public one."""
    secret = b"secret:" + seed if isinstance(seed, bytes) else f"public:{seed}".encode()
    parts = b"".join(len(n.encode()).to_bytes(4, "big") + n.encode() for n in names)
    return hmac.new(secret, parts, hashlib.sha256).digest()


def draw(
    quiz: str,
    student: str,
    seed: int | str | bytes,
    *,
    banks: Mapping[str, Bank] | None = None,
    plans: Mapping[str, Plan] | None = None,
) -> Paper:
    """The paper of one student: the same for the same quiz, student and seed, wherever it is drawn.

    Topics of the bank take turns, so that a paper touches as many of them as it has questions.
    DrawError for a quiz that has no bank or too few questions.
    """
    banks = packaged_banks() if banks is None else banks
    plans = load_papers() if plans is None else plans
    if quiz not in plans or quiz not in banks:
        have = ", ".join(q for q in plans if q in banks) or "none"
        raise DrawError(f"there is no quiz {quiz!r}; there is {have}")
    plan, questions = plans[quiz], banks[quiz].questions
    if len(questions) < plan.n_questions:
        raise DrawError(f"quiz {quiz}: {len(questions)} questions, want {plan.n_questions}")
    taken: dict[str, int] = {}
    ranked = []
    for q in sorted(questions, key=lambda q: key(seed, quiz, student, "rank", q.id)):
        turn = taken[q.topic] = taken.get(q.topic, 0) + 1
        ranked.append((turn, key(seed, quiz, student, "topic", q.topic), q))
    ranked.sort(key=lambda row: row[:2])
    chosen = [q for _, _, q in ranked[: plan.n_questions]]
    order = Stream(key(seed, quiz, student, "order")).shuffled(sorted(chosen, key=lambda q: q.id))
    return paper_of(plan, student, seed, order)


def draw_all(bank: Bank, student: str, seed: int | str | bytes) -> Paper:
    """Every question of a bank in its order, each as it stands on a paper of this student.

    A quiz without a row in papers.yaml has its id for a title.
    """
    n = len(bank.questions)
    plan = load_papers().get(bank.quiz) or Plan(bank.quiz, f"Quiz {bank.quiz}", n, 0.0, False)
    return paper_of(plan, student, seed, bank.questions)


def paper_of(
    plan: Plan, student: str, seed: int | str | bytes, questions: Sequence[Question]
) -> Paper:
    """The paper that asks these questions, each drawn from its own key."""
    asked = tuple(ask(q, key(seed, plan.quiz, student, "question", q.id)) for q in questions)
    shown_seed = SECRET_SEED if isinstance(seed, bytes) else str(seed)
    return Paper(plan, student, shown_seed, asked)


@functools.cache
def packaged_banks() -> dict[str, Bank]:
    """The banks of this package, read once."""
    return load_banks()


def ask(q: Question, question_key: bytes) -> Asked:
    """One question with drawn parameters, drawn again until its answer is clear.

    DrawError where ``ATTEMPTS`` draws give no parameters with one answer and choices that differ.
    """
    reason = ""
    for attempt in range(ATTEMPTS):
        stream = Stream(question_key + attempt.to_bytes(2, "big"))
        try:
            return Drawing(q, stream).asked(attempt + 1)
        except Unclear as unclear:
            reason = str(unclear)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise DrawError(f"{q.where}: question {q.id}: {error!r}") from error
    raise DrawError(f"{q.where}: question {q.id}: {ATTEMPTS} draws, none is clear: {reason}")


def value_of(source: Expression | Call, parameters: Mapping[str, object]) -> object:
    """What an expression, or a row of ANSWERS, gives for these parameters."""
    if isinstance(source, Expression):
        return source.value(parameters)
    given = {k: e.value(parameters) for k, e in source.given.items()}
    rest = {k: parameters[k] for k in source.needs if k not in given}
    return ANSWERS[source.name](**rest, **given)


def filled(text: str, values: Mapping[str, object]) -> str:
    """A text with its placeholders filled: ``{x}``, ``{x:.2f}``, or ``{x:bytes}`` with a unit."""

    def value(found) -> str:
        if not found["name"]:
            return found[0][0]
        got, how = values[found["name"]], found["format"]
        if how in units.UNITS:
            return units.show(got, how)
        if how:
            return format(got, how)
        return units.show(got) if isinstance(got, float) else str(got)

    return PLACEHOLDER.sub(value, text)


class Drawing:
    """One attempt at one question: its parameters, then its texts and what is right."""

    def __init__(self, q: Question, stream: Stream) -> None:
        self.q, self.stream = q, stream
        self.parameters: dict[str, object] = {}
        self.identity = [q.id]
        for name, source in q.draw.items():
            drawn = self.one(name, source)
            self.parameters |= drawn
            if isinstance(source, Pick | Range):
                self.identity.append(repr(drawn))

    def one(self, name: str, source: Pick | Range | Expression | Call) -> dict[str, object]:
        """The parameter (or the row of parameters) that one source gives."""
        if isinstance(source, Pick):
            picked = source.options[self.stream.below(len(source.options))]
            return dict(picked) if isinstance(picked, dict) else {name: picked}
        if isinstance(source, Call | Expression):
            return {name: value_of(source, self.parameters)}
        first, last, step = (
            int(e.value(self.parameters)) for e in (source.first, source.last, source.step)
        )
        if last < first or step < 1:
            raise Unclear(f"{name}: nothing from {first} to {last} in steps of {step}")
        return {name: first + step * self.stream.below((last - first) // step + 1)}

    def call(self, call: Call) -> object:
        """What a row of ANSWERS says for these parameters."""
        return value_of(call, self.parameters)

    def fill(self, text: str, **more: object) -> str:
        """A text with its placeholders filled."""
        return filled(text, {**self.parameters, **more})

    def asked(self, attempts: int) -> Asked:
        """The question as it stands on the paper; Unclear where these parameters are no good."""
        q = self.q
        options: tuple[Option, ...] = ()
        mistakes: tuple[Option, ...] = ()
        code = self.fill(q.code) if q.code else ""
        if q.kind == "number":
            answer = units.exact(self.call(q.answer))
            shown = units.show(answer, q.unit)
            mistakes = self.options(q.choices, shown)
            values = [answer, *(units.exact(m.value) for m in mistakes)]
            for a, b in itertools.combinations(values, 2):
                if units.near(a, b, q.tolerance):
                    raise Unclear(f"two of answer and known mistakes are alike: {float(a):.6g}")
        elif q.kind == "code":
            answer = shown = output(code)
            mistakes = self.options(q.choices, shown)
            if len({shown, *(m.text for m in mistakes)}) <= len(mistakes):
                raise Unclear(f"two of the output and what mistakes expect are alike: {shown}")
        else:
            options = self.options(self.ordered(), None)
            answer = tuple(o.letter for o in options if o.right or q.kind == "order")
            options, answer = self.lettered(options, answer)
            shown = self.told(options, answer)
            options = tuple(self.explained(o, shown) for o in options)
        return Asked(
            q.id, q.kind, q.topic, self.fill(q.text), code, options, mistakes, answer, shown,
            self.fill(q.why, answer=shown), q.unit, q.tolerance, " ".join(self.identity),
            q.computed, attempts,
        )  # fmt: skip

    def ordered(self) -> Sequence[Choice]:
        """The choices; items with keys in the order of their keys, which differ."""
        if self.q.kind != "order" or self.q.choices[0].key is None:
            return self.q.choices
        keys = [self.call(c.key) for c in self.q.choices]
        for low, high in itertools.pairwise(sorted(keys)):
            if abs(high - low) <= TIE * abs(high):
                raise Unclear(f"two items have nearly the same place: {low}, {high}")
        return [c for _, c in sorted(zip(keys, self.q.choices, strict=True), key=lambda p: p[0])]

    def options(self, choices: Sequence[Choice], shown: str | None) -> tuple[Option, ...]:
        """Choices with their values, texts and truth, in the bank's order; all texts differ."""
        found = []
        for i, c in enumerate(choices):
            value = self.fill(c.text) if c.call is None else self.call(c.call)
            text = value if c.call is None else units.show(value, self.q.unit)
            right = bool(self.call(c.right)) if isinstance(c.right, Call) else c.right
            why = self.fill(c.why, value=text, answer=shown) if shown else c.why
            found.append(Option(LETTERS[i], text, right, why, value))
        texts = [o.text for o in found]
        if len(set(texts)) < len(texts):
            raise Unclear(f"two choices read the same: {texts}")
        return tuple(found)

    def lettered(
        self, options: tuple[Option, ...], answer: tuple[str, ...]
    ) -> tuple[tuple[Option, ...], tuple[str, ...]]:
        """The options in drawn order with letters from a on, and the answer in those letters."""
        n_right, q = sum(o.right for o in options), self.q
        if q.kind == "choice" and n_right != 1:
            raise Unclear(f"{n_right} choices are right, want one")
        if q.kind == "choices" and not 0 < n_right < len(options):
            raise Unclear(f"{n_right} of {len(options)} choices are right")
        drawn = self.stream.shuffled(options)
        if q.kind == "order" and [o.letter for o in drawn] == list(answer):
            drawn = [*drawn[1:], drawn[0]]
        self.identity.append("".join(o.letter for o in drawn))
        new = {o.letter: LETTERS[i] for i, o in enumerate(drawn)}
        lettered = tuple(Option(new[o.letter], o.text, o.right, o.why, o.value) for o in drawn)
        letters = [new[letter] for letter in answer]
        return lettered, tuple(letters if q.kind == "order" else sorted(letters))

    def told(self, options: tuple[Option, ...], answer: tuple[str, ...]) -> str:
        """The right answer in words, for explanations."""
        texts = {o.letter: o.text for o in options}
        if self.q.kind == "choice":
            return texts[answer[0]]
        joint = ", " if self.q.kind == "choices" else " "
        return joint.join(answer)

    def explained(self, o: Option, shown: str) -> Option:
        """An option with the placeholders of its reason filled."""
        why = self.fill(o.why, value=o.text, answer=shown)
        return Option(o.letter, o.text, o.right, why, o.value)


@functools.lru_cache(maxsize=4096)
def output(code: str) -> str:
    """The one line that a bank's code prints; the code is ours, and trusted."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<question>", "exec"), {"__name__": "__question__"})
    lines = printed.getvalue().strip().splitlines()
    if len(lines) != 1:
        raise ValueError(f"the code prints {len(lines)} lines, want one")
    return lines[0].strip()
