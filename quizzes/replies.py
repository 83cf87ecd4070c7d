"""Files of replies: the blank one a student fills in, and reading one back, whoever wrote it.

Owns: the form of such a file (YAML, or JSON). Must not know: what is right. Read before:
``paper.py``, ``nodes.py``. A file of replies comes from outside: it is capped, only texts and lists
of texts are taken, and nothing is evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from . import markup, units
from .errors import BankError, ReplyError
from .nodes import Node, compose
from .paper import Asked, Paper

LARGEST_BYTES = 64 * 1024
MOST_BRACKETS = 2000  # YAML takes time that grows with the square of open brackets
LONGEST_REPLY = 1000
HEAD = ("quiz", "student", "seed", "paper")


@dataclass(frozen=True)
class Replies:
    """What a file says: replies by question id, and whose and which paper it claims to be."""

    answers: Mapping[str, str] = field(default_factory=dict)
    quiz: str = ""
    student: str = ""
    seed: str = ""
    paper: str = ""


def read(path: Path) -> Replies:
    """The replies of a file; ReplyError says what cannot be read, with its line for YAML."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ReplyError(f"{path}: cannot be read: {error}") from None
    return parse(path, raw)


def parse(path: Path, raw: bytes) -> Replies:
    """The replies of a file's bytes; ``path`` is what complaints call it."""
    if len(raw) > LARGEST_BYTES:
        raise ReplyError(f"{path}: more than {LARGEST_BYTES // 1024} KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReplyError(f"{path}: cannot be read: {error}") from None
    values = from_json(path, text) if text.lstrip().startswith("{") else from_yaml(path, text)
    answers = values.get("answers", values)
    if not isinstance(answers, dict):
        raise ReplyError(f"{path}: answers: got a text, want a mapping of question ids to replies")
    if "answers" in values and (unknown := set(values) - {*HEAD, "answers", "questions"}):
        raise ReplyError(f"{path}: unknown field {sorted(unknown)[0]!r} beside `answers`")
    head = {name: values[name] for name in HEAD if isinstance(values.get(name), str)}
    replies = {str(k): reply(path, k, v) for k, v in answers.items() if k not in HEAD}
    return Replies(replies, **head)


def reply(path: Path, name: object, value: object) -> str:
    """One reply as text: lists are joined by commas."""
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str) for part in parts):
        raise ReplyError(f"{path}: {name}: want a text, a number or a list of letters")
    joined = ", ".join(parts)
    if len(joined) > LONGEST_REPLY:
        raise ReplyError(f"{path}: {name}: a reply of {len(joined)} characters")
    return joined


def from_json(path: Path, text: str) -> dict:
    """A JSON object with every number as it was written."""

    def pairs(found: list[tuple[str, object]]) -> dict:
        if len({k for k, _ in found}) < len(found):
            raise ReplyError(f"{path}: a name is there twice")
        return dict(found)

    def constant(word: str) -> str:
        return word

    try:
        values = json.loads(
            text, object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=constant
        )
    except (ValueError, RecursionError) as error:
        raise ReplyError(f"{path}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ReplyError(f"{path}: want a mapping of question ids to replies")
    values.pop("questions", None)
    return {k: "" if v is None else v for k, v in values.items()}


def from_yaml(path: Path, text: str) -> dict:
    """A YAML mapping with every value as it was written."""

    def plain(node: Node, depth: int = 0) -> object:
        if isinstance(node.raw, yaml.ScalarNode):
            null = not node.raw.style and node.raw.value in ("", "~", "null")
            return "" if null else node.raw.value
        if depth == 2:
            raise node.unlike("a text, a number or a list of letters")
        if node.is_list:
            return [plain(item, 2) for item in node.items(at_least=0)]
        return {key: plain(value, depth + 1) for key, value in node.pairs().items()}

    if text.count("[") + text.count("{") > MOST_BRACKETS:
        raise ReplyError(f"{path}: more than {MOST_BRACKETS} brackets")
    try:
        root = compose(path, text)
        if not root.is_mapping:
            raise root.unlike("a mapping of question ids to replies")
        return plain(root)
    except BankError as error:
        raise ReplyError(str(error)) from None


# The blank file


def template(paper: Paper) -> str:
    """A YAML file with every question as a comment and an empty reply under it."""
    plan = paper.plan
    lines = [
        f"# Quiz {plan.quiz}, {plan.title}: {len(paper.questions)} questions, "
        f"{paper.n_needed} right answers pass.",
        "# Write each reply between the quotes.",
        f"quiz: {quoted(plan.quiz)}",
        f"student: {quoted(paper.student)}",
        f"seed: {quoted(paper.seed)}",
        f"paper: {quoted(paper.digest)}",
        "answers:",
    ]
    for n, q in enumerate(paper.questions, 1):
        lines += ["", *(f"  # {line}".rstrip() for line in comment(q, n)), f'  {q.id}: ""']
    return "\n".join(lines) + "\n"


def comment(q: Asked, n: int) -> list[str]:
    """A question as plain lines."""
    lines = [f"{n}. ({how_to_reply(q)})", *markup.printable(q.text).strip().splitlines()]
    if q.code:
        lines += ["", *(f"    {line}" for line in markup.printable(q.code).splitlines())]
    return lines + [f"  {o.letter}) {markup.plain(o.text)}" for o in q.options]


def how_to_reply(q: Asked) -> str:
    """What a reply to this question looks like, in a few words."""
    if q.kind == "number":
        near = f"; {100 * q.tolerance:g} % either way counts" if q.tolerance else "; exactly"
        return units.UNITS[q.unit].hint + near
    last = q.options[-1].letter if q.options else ""
    return {
        "choice": f"one letter, a to {last}",
        "choices": f"one or more letters, a to {last}",
        "order": f"all letters, a to {last}, in the right order",
        "code": "the line that is printed",
    }[q.kind]


def quoted(text: str) -> str:
    """A text as a YAML (and JSON) string."""
    return json.dumps(markup.printable(text), ensure_ascii=False)


def as_data(paper: Paper) -> dict:
    """The paper without its answers, for a machine; with empty replies to fill in."""
    return {
        "quiz": paper.plan.quiz,
        "student": paper.student,
        "seed": paper.seed,
        "paper": paper.digest,
        "answers": {q.id: "" for q in paper.questions},
        "questions": [
            {
                "id": q.id,
                "kind": q.kind,
                "text": q.text,
                "code": q.code,
                "reply": how_to_reply(q),
                "choices": {o.letter: o.text for o in q.options},
            }
            for q in paper.questions
        ],
    }
