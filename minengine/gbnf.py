r"""GBNF, the notation of grammars: a text as rules that can be matched.

Owns: the notation, its errors as line:column, and what makes rules unfit: one that is missing or
defined twice, left recursion. Must not know: matching, vocabularies. Read after it: ``grammar.py``.

    root ::= item ("," item)*        # what the whole text must match
    item ::= "x" | [a-z0-9]+         # texts, classes of characters, alternatives, groups
    rest ::= [^"\\] . "\n" \u00e9    # any character but these, any at all, escapes
    many ::= item{2,5} item{3} [0-9]? # repetitions * + ? {m} {m,} {m,n}
    call ::= <tool> !<[7]>*          # the token of this text; any token but number 7

A rule ends with its line, unless inside ( ) or after | or ::=. Names are letters, digits and -.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from minengine.errors import RequestError

LAST = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)  # halves of UTF-16, no characters
MAX_NESTING = 60  # of groups and repetitions; every walk over a rule is recursive
NAME = re.compile(r"[A-Za-z0-9-]+")
HEX = {"x": 2, "u": 4, "U": 8}
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"} | {c: c for c in '\\"[]-'}


@dataclass(frozen=True, eq=False)
class Chars:
    """One character out of ``ranges``, ascending and apart; both ends belong to them."""

    ranges: tuple[tuple[int, int], ...]
    depth = 0

    def reaches(self, low: int, high: int) -> bool:
        """Is a character from low to high among them?"""
        return any(a <= high and low <= b for a, b in self.ranges)


@dataclass(frozen=True, eq=False)
class Token:
    """One token, by id or by its text in the vocabulary; ``negated``: any other one."""

    name: int | str
    negated: bool
    where: str
    depth = 0


@dataclass(frozen=True, eq=False)
class Rule:
    """What the rule of this name matches."""

    name: str
    where: str
    depth = 0


@dataclass(frozen=True, eq=False)
class Choice:
    """One of some sequences of items."""

    ways: tuple[tuple[Item, ...], ...]
    depth: int


@dataclass(frozen=True, eq=False)
class Repeat:
    """One of some sequences ``low`` to ``high`` times; without end where ``high`` is None."""

    ways: tuple[tuple[Item, ...], ...]
    low: int
    high: int | None
    depth: int


Item = Chars | Token | Rule | Choice | Repeat


def parse(text: str) -> dict[str, Choice]:
    """The rules of a grammar by name.

    Errors: ``RequestError`` says where, as line:column, what it got and what it wanted.
    """
    rules = Reader(text).rules()
    if "root" not in rules:
        raise RequestError(f"grammar: got the rules {', '.join(rules) or 'none'}, want one root")
    for name, choice in rules.items():
        for item in items(choice):
            if isinstance(item, Rule) and item.name not in rules:
                raise RequestError(
                    f"grammar {item.where}: got {item.name!r} in rule {name}, want a rule there is"
                )
    refuse_left_recursion(rules)
    return rules


class Reader:
    """Recursive descent over a text; ``at`` is the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.nesting = text, 0, 0
        if found := re.search(r"[\ud800-\udfff]", text):
            self.fail(want="a character of Unicode", at=found.start())

    def rules(self) -> dict[str, Choice]:
        found: dict[str, Choice] = {}
        self.space(lines=True)
        while self.at < len(self.text):
            start = self.at
            name = self.name()
            if name in found:
                self.fail("another one", f"one definition of the rule {name}", start)
            self.space()
            if not self.take("::="):
                self.fail(want=f"::= after the name {name}")
            self.space(lines=True)
            found[name] = self.choice(lines=False)
            if self.at < len(self.text) and self.text[self.at] not in "\r\n":
                self.fail(want="an item, | or the end of the line")
            self.space(lines=True)
        return found

    def choice(self, lines: bool) -> Choice:
        """Sequences with | between them; ``lines``: do they go on over the end of a line?"""
        start, ways = self.at, [self.sequence(lines)]
        while self.take("|"):
            self.space(lines=True)
            ways.append(self.sequence(lines))
        return Choice(tuple(ways), self.checked(1 + deepest(ways), start))

    def sequence(self, lines: bool) -> tuple[Item, ...]:
        found: list[Item] = []
        while True:
            start = self.at
            parts = self.atom()
            if parts is None:
                return tuple(found)
            self.space(lines)
            while times := self.times(lines):
                group = len(parts) == 1 and isinstance(parts[0], Choice)
                ways = parts[0].ways if group else (parts,)
                parts = (Repeat(ways, *times, self.checked(1 + deepest(ways), start)),)
            found += parts

    def atom(self) -> tuple[Item, ...] | None:
        """A text, class, group, name, token or dot; None where there is none."""
        start, c = self.at, self.text[self.at : self.at + 1]
        if NAME.match(c):
            return (Rule(self.name(), self.where(start)),)
        if c in ("<", "!"):
            return (self.token(),)
        if c not in ('"', "[", "(", ".") or not c:
            return None
        self.at += 1
        if c == '"':
            return self.literal(start)
        if c == "[":
            return (self.characters(start),)
        if c == ".":
            return (Chars(spans([(0, LAST)])),)
        self.nesting = self.checked(self.nesting + 1, start)
        self.space(lines=True)
        group = self.choice(lines=True)
        if not self.take(")"):
            self.fail(want=f"an item, | or ) for the ( at {self.where(start)}")
        self.nesting -= 1
        return (group,)

    def literal(self, start: int) -> tuple[Item, ...]:
        found = []
        while not self.take('"'):
            code = self.character(f'the " that ends the text begun at {self.where(start)}')
            found.append(Chars(((code, code),)))
        return tuple(found)

    def characters(self, start: int) -> Chars:
        negated, found = self.take("^"), []
        want = f"the ] that ends the class begun at {self.where(start)}"
        while not self.take("]"):
            first = self.at
            low = high = self.character(want)
            if (
                self.text[self.at : self.at + 1] == "-"
                and self.text[self.at + 1 : self.at + 2] != "]"
            ):
                self.at += 1
                high = self.character(want)
            if high < low:
                self.fail(self.text[first : self.at], "a range that ascends", first)
            found.append((low, high))
        ranges = spans(complement(found) if negated else found)
        if not ranges or not found:
            self.fail(self.text[start : self.at], "a class with characters in it", start)
        return Chars(ranges)

    def character(self, want: str) -> int:
        """One character or escape, as a code point; ``want``: what else may come."""
        start, c = self.at, self.text[self.at : self.at + 1]
        if not c:
            self.fail(want=want)
        self.at += 1
        if c != "\\":
            return ord(c)
        kind = self.text[self.at : self.at + 1]
        self.at += 1
        if kind in HEX:
            digits = self.text[self.at : self.at + HEX[kind]]
            self.at += HEX[kind]
            if not re.fullmatch(rf"[0-9A-Fa-f]{{{HEX[kind]}}}", digits):
                self.fail(f"\\{kind}{digits}", f"{HEX[kind]} hexadecimal digits", start)
            code = int(digits, 16)
            if code > LAST or SURROGATES[0] <= code <= SURROGATES[1]:
                self.fail(f"\\{kind}{digits}", "a character of Unicode", start)
            return code
        if kind not in ESCAPES or not kind:
            self.fail(f"\\{kind}", r"one of \n \r \t \\ \" \[ \] \- \xNN \uNNNN \UNNNNNNNN", start)
        return ord(ESCAPES[kind])

    def token(self) -> Token:
        start, negated = self.at, self.take("!")
        found = re.compile(r"<\[(\d{1,9})\]>|<[^<>\n]+>").match(self.text, self.at)
        if not found:
            self.fail(want="a token, such as <[7]> or <think>")
        self.at = found.end()
        name = int(found[1]) if found[1] else found[0]
        return Token(name, negated, self.where(start))

    def times(self, lines: bool) -> tuple[int, int | None] | None:
        """The bounds of a repetition, where one comes next."""
        start = self.at
        for sign, bounds in {"*": (0, None), "+": (1, None), "?": (0, 1)}.items():
            if self.take(sign):
                self.space(lines)
                return bounds
        if not self.take("{"):
            return None
        found = re.compile(r"[ \t]*(\d{1,9})[ \t]*(,?)[ \t]*(\d{0,9})[ \t]*\}").match(
            self.text, self.at
        )
        if not found or (found[3] and not found[2]):
            self.fail(self.text[start:].split("\n")[0][:12], "{m}, {m,} or {m,n}", start)
        self.at = found.end()
        low = int(found[1])
        high = int(found[3]) if found[3] else None if found[2] else low
        if high is not None and high < low:
            self.fail(self.text[start : self.at], "bounds that ascend", start)
        self.space(lines)
        return low, high

    def name(self) -> str:
        found = NAME.match(self.text, self.at)
        if not found:
            goes_on = " (a rule goes on over the end of a line inside ( ) or after |)"
            self.fail(want="the name of a rule" + (goes_on if self.text[self.at] == "|" else ""))
        self.at = found.end()
        return found[0]

    def take(self, text: str) -> bool:
        """Go over ``text`` where it comes next."""
        found = self.text.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def space(self, lines: bool = False) -> None:
        """Go over blanks and comments, and over the ends of ``lines``."""
        blanks = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*" if lines else r"(?:[ \t]|#[^\r\n]*)*")
        self.at = blanks.match(self.text, self.at).end()

    def checked(self, depth: int, start: int) -> int:
        if depth > MAX_NESTING:
            self.fail(f"{depth} levels of ( ) and repetitions", f"at most {MAX_NESTING}", start)
        return depth

    def where(self, at: int) -> str:
        return f"{self.text.count(chr(10), 0, at) + 1}:{at - self.text.rfind(chr(10), 0, at)}"

    def fail(self, got: str | None = None, want: str = "", at: int | None = None) -> None:
        at = self.at if at is None else at
        if got is None:
            got = repr(self.text[at]) if at < len(self.text) else "the end"
        got = got.replace("\r", "\\r").replace("\n", "\\n")  # an error is one line
        raise RequestError(f"grammar {self.where(at)}: got {got}, want {want}")


def deepest(ways: Iterable[tuple[Item, ...]]) -> int:
    """Levels of choices and repetitions inside sequences."""
    return max((item.depth for way in ways for item in way), default=0)


def complement(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every code point that is in none of the ranges."""
    found, low = [], 0
    for a, b in sorted(ranges):
        found.append((low, a - 1))
        low = max(low, b + 1)
    return [*found, (low, LAST)]


def spans(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges ascending and apart, without surrogates."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        for a, b in ((low, min(high, SURROGATES[0] - 1)), (max(low, SURROGATES[1] + 1), high)):
            if a > b:
                continue
            if found and a <= found[-1][1] + 1:
                found[-1] = (found[-1][0], max(found[-1][1], b))
            else:
                found.append((a, b))
    return tuple(found)


def items(item: Item) -> Iterator[Item]:
    """An item and every one inside it."""
    yield item
    for way in item.ways if isinstance(item, Choice | Repeat) else ():
        for i in way:
            yield from items(i)


def refuse_left_recursion(rules: dict[str, Choice]) -> None:
    """A rule that can come first in itself would be entered for ever without reading a character.

    Errors: ``RequestError`` names the way from the rule back to itself.
    """
    empty: set[str] = set()  # rules that match the empty text
    users: dict[str, set[str]] = {name: set() for name in rules}
    for name, choice in rules.items():
        for item in items(choice):
            if isinstance(item, Rule):
                users[item.name].add(name)
    look = list(rules)
    while look:
        name = look.pop()
        if name not in empty and may_be_empty(rules[name], empty):
            empty.add(name)
            look += users[name]
    first = {name: tuple(first_rules(choice, empty)) for name, choice in rules.items()}
    done: set[str] = set()
    for name in rules:
        trail, todo = [], [(name, iter(first[name]))]
        while todo:
            here, ahead = todo[-1]
            following = next((n for n in ahead if n not in done), None)
            trail = [n for n, _ in todo]
            if following in trail:
                loop = " -> ".join([*trail[trail.index(following) :], following])
                raise RequestError(f"grammar: left recursion {loop}; want a character before it")
            if following is None:
                done.add(here)
                todo.pop()
            else:
                todo.append((following, iter(first[following])))


def may_be_empty(item: Item, empty: set[str]) -> bool:
    """Does it match the empty text, as far as is known which rules do?"""
    if isinstance(item, Choice | Repeat):
        free = isinstance(item, Repeat) and item.low == 0
        return free or any(all(may_be_empty(i, empty) for i in way) for way in item.ways)
    return isinstance(item, Rule) and item.name in empty


def first_rules(item: Item, empty: set[str]) -> Iterator[str]:
    """Names of the rules that an item may begin with."""
    if isinstance(item, Rule):
        yield item.name
    elif isinstance(item, Choice | Repeat):
        for way in item.ways:
            for i in way:
                yield from first_rules(i, empty)
                if not may_be_empty(i, empty):
                    break
