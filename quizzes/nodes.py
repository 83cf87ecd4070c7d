"""YAML nodes that know their line: every complaint about a bank says file:line: what, got, want.

Owns: reading YAML with line marks, refusing duplicate and unknown fields. Must not know: what a
question is. Read before: ``errors.py``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from .errors import BankError

FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML has it


@dataclass(frozen=True)
class Node:
    """One YAML value of a file, with its place and what it is called in complaints."""

    path: Path
    raw: yaml.Node
    name: str

    @property
    def where(self) -> str:
        """``file:line`` of the value."""
        return f"{self.path}:{self.raw.start_mark.line + 1}"

    def error(self, what: str) -> BankError:
        """A complaint at this place."""
        return BankError(f"{self.where}: {what}")

    def unlike(self, want: str) -> BankError:
        """The complaint that this value is not what is wanted."""
        got = {yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list"}.get(type(self.raw))
        return self.error(f"{self.name}: got {got or repr(self.raw.value)}, want {want}")

    @property
    def is_mapping(self) -> bool:
        """A mapping of fields?"""
        return isinstance(self.raw, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """A list?"""
        return isinstance(self.raw, yaml.SequenceNode)

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Node]:
        """The fields of a mapping; every required one is there and nothing that is not listed."""
        found = self.pairs()
        required, known = list(required), [*required, *optional]
        for key, node in found.items():
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                maybe = f" (did you mean {close[0]!r}?)" if close else ""
                raise node.error(
                    f"{self.name}: unknown field {key!r}{maybe}, want {', '.join(known)}"
                )
        for key in required:
            if key not in found:
                raise self.error(f"{self.name}: field {key!r} is missing")
        return found

    def pairs(self) -> dict[str, Node]:
        """The fields of a mapping, whatever their names, in the order of the file."""
        if not self.is_mapping:
            raise self.unlike("a mapping")
        found: dict[str, Node] = {}
        for key, value in self.raw.value:
            here = Node(self.path, key, self.name)
            if not isinstance(key, yaml.ScalarNode):
                raise here.error(f"{self.name}: the name of a field is a text")
            if key.value in found:
                first = found[key.value].raw.start_mark.line + 1
                raise here.error(f"{self.name}: field {key.value!r} twice (first in line {first})")
            found[key.value] = Node(self.path, value, f"{self.name}.{key.value}")
        return found

    def items(self, at_least: int = 1) -> list[Node]:
        """The items of a list."""
        if not self.is_list:
            raise self.unlike("a list")
        if len(self.raw.value) < at_least:
            raise self.error(
                f"{self.name}: got {len(self.raw.value)} items, want at least {at_least}"
            )
        return [Node(self.path, v, f"{self.name}[{i}]") for i, v in enumerate(self.raw.value)]

    def scalar(self) -> bool | int | float | str:
        """A number, text or truth value, as YAML reads it."""
        if not isinstance(self.raw, yaml.ScalarNode):
            raise self.unlike("a number, a text or true/false")
        value = yaml.constructor.SafeConstructor().construct_object(self.raw)
        if not isinstance(value, bool | int | float | str):
            raise self.unlike("a number, a text or true/false")
        return value

    def text(self) -> str:
        """A text with something in it, whatever YAML would make of it (``id: 1`` is "1")."""
        if not isinstance(self.raw, yaml.ScalarNode) or not self.raw.value.strip():
            raise self.unlike("a text")
        return self.raw.value.strip("\n")

    def one_of(self, table: Iterable[str]) -> str:
        """A text that is a row of ``table``."""
        value, rows = self.text(), list(table)
        if value not in rows:
            raise self.unlike("one of " + ", ".join(rows))
        return value

    def number(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``, both included."""
        value = self.scalar()
        if isinstance(value, bool | str) or not low <= value <= high:
            raise self.unlike(f"a number from {low:g} to {high:g}")
        return value

    def truth(self) -> bool:
        """true or false."""
        value = self.scalar()
        if not isinstance(value, bool):
            raise self.unlike("true or false")
        return value


def read(path: Path) -> Node:
    """The one document of a YAML file; BankError with file:line for what is not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BankError(f"{path}: cannot be read: {error}") from None
    return compose(path, text)


def compose(path: Path, text: str) -> Node:
    """The one document of a YAML text."""
    try:
        root = _root(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BankError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BankError(f"{path}: not YAML: {error}") from None
    if root is None:
        raise BankError(f"{path}:1: the file is empty")
    return Node(path, root, path.stem)


def _root(text: str) -> yaml.Node | None:
    """Read fast; what is not YAML is read again by PyYAML, whose words are better, unless that
    would take long.
    """
    try:
        return yaml.compose(text, FAST)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        if "nesting depth" in str(error):
            raise
        return yaml.compose(text, yaml.SafeLoader)
