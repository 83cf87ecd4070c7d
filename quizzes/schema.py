"""What a bank file and papers.yaml may say, read into frozen values, with every mistake named by
file:line.

Owns: the fields of a question of each kind (``KINDS``) and what must hold before anything is drawn.
Must not know: students, seeds, terminals. Read before: ``nodes.py`` (lines), ``expression.py``,
``answers.py`` (what can be called).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .answers import ANSWERS
from .errors import BankError
from .expression import Expression
from .expression import parse as parse_expression
from .nodes import Node, read
from .units import UNITS

FOLDER = Path(__file__).parent
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(?P<name>[A-Za-z_]\w*)(?::(?P<format>[^{}]*))?\}")
NAME = re.compile(r"[A-Za-z_]\w*")
IDENTIFIER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Call:
    """A row of ``ANSWERS`` and the expressions that replace drawn parameters of the same name."""

    name: str
    given: Mapping[str, Expression]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Pick:
    """A parameter drawn from a list; rows are mappings whose keys all become parameters."""

    options: tuple[object, ...]


@dataclass(frozen=True)
class Range:
    """A whole number drawn from ``first`` to ``last``, both included."""

    first: Expression
    last: Expression
    step: Expression


@dataclass(frozen=True)
class Choice:
    """One choice, item or known mistake: its text or the call that computes it, and its reason."""

    text: str | None
    call: Call | None
    right: bool | Call
    why: str
    key: Call | None = None


@dataclass(frozen=True)
class Question:
    """One item of a bank, not yet drawn."""

    id: str
    kind: str
    topic: str
    where: str
    text: str
    why: str
    draw: Mapping[str, Pick | Range | Expression | Call]
    choices: tuple[Choice, ...] = ()
    answer: Call | None = None
    code: str = ""
    unit: str = "number"
    tolerance: float = 0.0

    @property
    def computed(self) -> bool:
        """Does running code decide what is right, not the author of the bank?"""
        parts = [self.answer, *(p for c in self.choices for p in (c.right, c.key))]
        rights = [c.call for c in self.choices if c.right is True]
        return bool(self.code) or any(isinstance(p, Call) for p in [*parts, *rights])


@dataclass(frozen=True)
class Bank:
    """The questions of one quiz."""

    quiz: str
    path: Path
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Plan:
    """A row of papers.yaml: what a paper of this quiz is."""

    quiz: str
    title: str
    n_questions: int
    pass_mark: float
    required: bool


def load_papers(path: Path = FOLDER / "papers.yaml") -> dict[str, Plan]:
    """The rows of papers.yaml by quiz id, in the order of the file."""
    plans = {}
    for quiz, node in read(path).pairs().items():
        f = node.fields(("title", "questions", "pass_mark", "required"))
        n_questions = f["questions"].number(1, 100)
        if n_questions != int(n_questions):
            raise f["questions"].unlike("a whole number")
        plans[quiz] = Plan(
            quiz,
            f["title"].text(),
            int(n_questions),
            float(f["pass_mark"].number(0, 1)),
            f["required"].truth(),
        )
    return plans


def load_plans(folder: Path) -> dict[str, Plan]:
    """The course's plans, and over them those of a private folder of banks, where it has any."""
    private = folder / "papers.yaml"
    return load_papers() | (load_papers(private) if private.exists() else {})


def load_banks(folder: Path = FOLDER / "bank") -> dict[str, Bank]:
    """Every bank file of a folder by quiz id; BankError lists every question that is wrong."""
    if not folder.is_dir():
        raise BankError(f"{folder}: no such folder of banks")
    banks: dict[str, Bank] = {}
    complaints = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name == "papers.yaml":
            continue
        try:
            bank = load_bank(path)
        except BankError as error:
            complaints.append(str(error))
            continue
        if bank.quiz in banks:
            complaints.append(f"{path}:1: quiz {bank.quiz} is in {banks[bank.quiz].path} already")
        banks[bank.quiz] = bank
    if complaints:
        raise BankError("\n".join(complaints))
    return banks


def load_bank(path: Path) -> Bank:
    """One bank file; BankError has one line for every question that is wrong."""
    f = read(path).fields(("quiz", "questions"))
    questions: dict[str, Question] = {}
    complaints = []
    for node in f["questions"].items():
        try:
            q = question(node)
            if q.id in questions:
                raise node.error(f"question {q.id!r} is in {questions[q.id].where} already")
        except BankError as error:
            complaints.append(str(error))
        else:
            questions[q.id] = q
    if complaints:
        raise BankError("\n".join(complaints))
    return Bank(f["quiz"].text(), path, tuple(questions.values()))


def question(node: Node) -> Question:
    """One item of ``questions``."""
    kind_node = node.pairs().get("kind")
    kind = kind_node.one_of(KINDS) if kind_node else None
    required, optional, rest = KINDS[kind] if kind else ((), (), no_rest)
    f = node.fields(("id", "kind", "topic", "text", "why", *required), ("draw", *optional))
    if not IDENTIFIER.fullmatch(f["id"].text()):
        raise f["id"].unlike("small letters, digits and hyphens")
    draw = drawn(f["draw"]) if "draw" in f else {}
    names = parameters(draw)
    for field in ("text", "code"):
        if field in f:
            check_placeholders(f[field], names)
    check_placeholders(f["why"], {*names, "answer"})
    return Question(
        id=f["id"].text(),
        kind=kind,
        topic=f["topic"].text(),
        where=f["id"].where,
        text=f["text"].text(),
        why=f["why"].text(),
        draw=draw,
        unit=f["unit"].one_of(UNITS) if "unit" in f else "number",
        tolerance=float(f["tolerance"].number(0, 0.2)) if "tolerance" in f else 0.0,
        **rest(node, f, names),
    )


def no_rest(node: Node, f: Mapping[str, Node], names: set[str]) -> dict:
    """Fields of an unknown kind: none."""
    return {}


# Parameters


def drawn(node: Node) -> dict[str, Pick | Range | Expression | Call]:
    """The parameters of a question in the order of the file; each may use those before it."""
    draw: dict[str, Pick | Range | Expression | Call] = {}
    for name, value in node.pairs().items():
        if not NAME.fullmatch(name) or name in ("answer", "value"):
            raise value.error(f"{value.name}: {name!r} cannot be the name of a parameter")
        if name in parameters(draw):
            raise value.error(f"{value.name}: a row above has a parameter {name!r} already")
        draw[name] = one_parameter(value, parameters(draw))
    return draw


def one_parameter(node: Node, names: set[str]) -> Pick | Range | Expression | Call:
    """A list to draw from, a range, a call, or an expression."""
    if node.is_list:
        options = node.items()
        if not options[0].is_mapping:
            return Pick(tuple(option.scalar() for option in options))
        rows = [{k: v.scalar() for k, v in option.pairs().items()} for option in options]
        for option, row in zip(options, rows, strict=True):
            if row.keys() != rows[0].keys():
                raise option.error(
                    f"{node.name}: got the fields {', '.join(row)}, want {', '.join(rows[0])}"
                )
        return Pick(tuple(rows))
    if node.is_mapping and "call" in node.pairs():
        return call(node, names)
    if node.is_mapping:
        f = node.fields(("from", "to"), ("step",))
        step = expression(f["step"], names) if "step" in f else parse_expression("1")
        return Range(expression(f["from"], names), expression(f["to"], names), step)
    return expression(node, names)


def parameters(draw: Mapping[str, object]) -> set[str]:
    """The names that texts and expressions may use."""
    names = set(draw)
    for name, value in draw.items():
        if isinstance(value, Pick) and isinstance(value.options[0], dict):
            names = (names - {name}) | set(value.options[0])
    return names


def expression(node: Node, names: set[str]) -> Expression:
    """An expression over parameters that exist."""
    try:
        parsed = parse_expression(str(node.scalar()))
    except ValueError as error:
        raise node.error(f"{node.name}: {error}") from None
    unknown = sorted(parsed.names - names)
    if unknown:
        have = ", ".join(sorted(names)) or "none"
        raise node.error(f"{node.name}: no parameter {unknown[0]!r} ({have})")
    return parsed


def call(node: Node, names: set[str]) -> Call:
    """``call`` and ``with`` of a mapping: a row of ANSWERS whose arguments all have a source."""
    f = node.pairs()
    name = f["call"].one_of(ANSWERS)
    given = {}
    wanted = inspect.signature(ANSWERS[name]).parameters
    for key, value in f["with"].pairs().items() if "with" in f else ():
        if key not in wanted:
            raise value.error(f"{name} has no argument {key!r}, want {', '.join(wanted)}")
        given[key] = expression(value, names)
    for key, argument in wanted.items():
        if key not in names and key not in given and argument.default is inspect.Parameter.empty:
            raise f["call"].error(f"{name} needs {key!r}: no parameter and not in `with`")
    return Call(name, given, tuple(key for key in wanted if key in names or key in given))


def check_placeholders(node: Node, names: Iterable[str]) -> None:
    """Every ``{name}`` of a text is a parameter; ``{{name}}`` is the text {name}."""
    for found in PLACEHOLDER.finditer(node.text()):
        if found["name"] and found["name"] not in names:
            line = node.raw.start_mark.line + 1 + node.raw.value[: found.start()].count("\n")
            line += node.raw.style in ("|", ">")
            have = ", ".join(sorted(names)) or "none"
            raise BankError(
                f"{node.path}:{line}: {node.name}: no parameter for {found[0]} ({have})"
            )


# What each kind adds


def choice(node: Node, names: set[str], *, right: bool = True, key: bool = False) -> Choice:
    """One choice (or mistake, or item): text or call, never both; a reason unless it is right."""
    fields = (*(("right",) if right else ()), *(("key",) if key else ()))
    f = node.fields((), ("text", "call", "with", "why", *fields))
    if ("text" in f) == ("call" in f):
        raise node.error(f"{node.name}: want either `text` or `call`")
    truth: bool | Call = False
    if "right" in f:
        is_call = f["right"].is_mapping
        truth = call(f["right"], names) if is_call else f["right"].truth()
    if truth is not True and "why" not in f:
        raise node.error(f"{node.name}: a choice that may be wrong needs `why`")
    if "text" in f:
        check_placeholders(f["text"], names)
    if "why" in f:
        check_placeholders(f["why"], {*names, "answer", "value"})
    return Choice(
        f["text"].text() if "text" in f else None,
        call(node, names) if "call" in f else None,
        truth,
        f["why"].text() if "why" in f else "",
        call(f["key"], names) if "key" in f else None,
    )


def with_choices(node: Node, f: Mapping[str, Node], names: set[str]) -> dict:
    """Choices of which at least one may be right and one wrong."""
    choices = tuple(choice(item, names) for item in f["choices"].items(at_least=3))
    one = f["kind"].text() == "choice"
    sure = sum(c.right is True for c in choices)
    open_ = sum(isinstance(c.right, Call) for c in choices)
    if sure + open_ == 0 or (one and sure > 1):
        want = "exactly one" if one else "at least one"
        raise f["choices"].error(f"{f['choices'].name}: got {sure} right choices, want {want}")
    if not one and sure == len(choices):
        raise f["choices"].error(f"{f['choices'].name}: every choice is right, want a wrong one")
    texts = [c.text for c in choices if c.text is not None]
    for text in texts:
        if texts.count(text) > 1:
            raise f["choices"].error(f"{f['choices'].name}: the choice {text!r} is there twice")
    return {"choices": choices}


def with_answer(node: Node, f: Mapping[str, Node], names: set[str]) -> dict:
    """A computed number and the numbers that known mistakes give."""
    f["answer"].fields(("call",), ("with",))
    mistakes = tuple(choice(m, names, right=False) for m in f["mistakes"].items())
    return {"answer": call(f["answer"], names), "choices": mistakes}


def with_items(node: Node, f: Mapping[str, Node], names: set[str]) -> dict:
    """Items in their right order, or each with a key that computes its place."""
    items = tuple(choice(i, names, right=False, key=True) for i in f["items"].items(at_least=3))
    n_keys = sum(i.key is not None for i in items)
    if n_keys not in (0, len(items)):
        raise f["items"].error(f"{f['items'].name}: {n_keys} of {len(items)} items have a `key`")
    return {"choices": items}


def with_code(node: Node, f: Mapping[str, Node], names: set[str]) -> dict:
    """Code whose one line of output is asked, and the outputs that known mistakes expect."""
    mistakes = tuple(choice(m, names, right=False) for m in f["mistakes"].items())
    return {"code": f["code"].text(), "choices": mistakes}


Rest = Callable[[Node, Mapping[str, Node], set[str]], dict]
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Rest]] = {
    "choice": (("choices",), ("unit",), with_choices),
    "choices": (("choices",), ("unit",), with_choices),
    "number": (("answer", "mistakes"), ("unit", "tolerance"), with_answer),
    "order": (("items",), (), with_items),
    "code": (("code", "mistakes"), (), with_code),
}
