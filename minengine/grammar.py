"""Grammars: which tokens keep a text within one.

Owns: matching by sets of stacks, the tokens that may come next, where a text stands. Must not know:
logits, sampling, the notation. Read before: ``gbnf.py``.

A *stack* is what is left to match, the next item on top; where a grammar leaves a choice there is a
stack for each way: a set of them, and the bytes of a character that has only begun, are a *state*.
A byte leads from a state to the next. Both are numbered as they are met, so that the whole
vocabulary advances by a byte in one NumPy look-up: what comes after 262,144 tokens is known after
as many steps as the longest has bytes, and remembered for the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from minengine.errors import RequestError
from minengine.gbnf import LAST, Chars, Item, Repeat, Rule, Token, items, parse

MAX_STACKS = 4096  # of a state; an ambiguous grammar doubles them with every character
MAX_LOOKS = 1 << 20  # at stacks, for the tokens that may come next: about a second
MAX_STATES = 20_000  # remembered, 1 KiB each
MAX_MASKS = 64  # remembered, a byte for each token of the vocabulary
DEAD, UNKNOWN = 0, -1  # numbers of states


class Stack:
    """Items left to match: ``way`` from ``at`` on, the first of them repeated ``n`` times so far,
    then those of ``below``. Made by ``Grammar._stack`` alone, so equal ones are the same object.
    """

    __slots__ = ("at", "below", "n", "way")

    def __init__(self, way: tuple[Item, ...], at: int, n: int, below: Stack | None) -> None:
        self.way, self.at, self.n, self.below = way, at, n, below

    @property
    def item(self) -> Item:
        return self.way[self.at]


# Stacks with a character or a token on top, None for a match that is complete; bytes of a character
State = tuple[frozenset[Stack | None], bytes]
NOWHERE: State = (frozenset(), b"")


class Vocabulary:
    """The tokens as a grammar sees them: ``pieces[i]`` is what token i prints.

    ``ends`` are the tokens that end a text, ``ids`` finds a token by its text.
    """

    def __init__(
        self, pieces: Sequence[bytes], ends: Iterable[int], ids: Mapping[bytes, int]
    ) -> None:
        self.pieces, self.ends, self.ids = pieces, frozenset(ends), ids
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        if self.ends:
            lengths[list(self.ends)] = 0
        self.printing = np.flatnonzero(lengths)  # ids of the n tokens that can be matched
        self.lengths = lengths[self.printing]  # (n,)
        self.starts = np.cumsum(self.lengths) - self.lengths  # (n,) into data
        self.data = np.frombuffer(b"".join(pieces[i] for i in self.printing), np.uint8)


class Grammar:
    """A grammar in the notation of ``gbnf.py``, ready to be matched.

    It may be shared by many texts: what it has learnt of states and vocabularies serves them all.
    Errors: ``RequestError`` for a text that is no grammar, says where; while matching, for one that
    leaves more than MAX_STACKS ways open, or takes more than MAX_LOOKS.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.rules = parse(text)
        self.tokens = [i for c in self.rules.values() for i in items(c) if isinstance(i, Token)]
        self._forget()
        # before the first character; made once, so that a Matcher changes nothing here: it may be
        # made in one thread while another one matches
        ways = (self._stack(way, 0, 0, None) for way in self.rules["root"].ways)
        self.start: State = self._joined(map(self._closure, ways)), b""

    def __deepcopy__(self, memo: dict) -> Grammar:
        return self

    def _forget(self) -> None:
        """Empty what is remembered; states that somebody holds stay good."""
        self._stacks: dict[tuple, Stack] = {}
        self._closures: dict[Stack, frozenset[Stack | None]] = {}
        self._numbers: dict[State, int] = {NOWHERE: DEAD}
        self._states: list[State] = [NOWHERE]
        self._table = np.full((64, 256), UNKNOWN, np.int32)  # (states, bytes) -> state
        self._table[DEAD] = DEAD
        self._masks: dict[tuple[Vocabulary, State], np.ndarray] = {}
        self._looks = 0  # at stacks, since the last byte of a text or mask was begun

    def matches(self, text: str | bytes) -> bool:
        """Is the whole text one of the grammar's?"""
        stacks, _ = self.walk(self.start, text.encode() if isinstance(text, str) else text)
        return None in stacks

    def walk(self, state: State, text: bytes) -> State:
        """The state after a text; one without stacks where the text does not fit."""
        number = self._number(state)
        for byte in text:
            self._looks = 0
            if len(self._states) > MAX_STATES:
                state = self._states[number]
                self._forget()
                number = self._number(state)
            number = self._after(number, byte)
        return self._states[number]

    def after(self, state: State, token: int, vocabulary: Vocabulary) -> State:
        """The state after a token: it fits by what it prints, or where the grammar names it."""
        piece = vocabulary.pieces[token]
        stacks, pending = self.walk(state, piece) if piece else NOWHERE
        named = [s for s in state[0] if self._names(s, token, vocabulary)]
        if named and not pending:
            stacks = self._joined([stacks, *map(self._passed, named)])
        return stacks, pending

    def allowed(self, state: State, vocabulary: Vocabulary) -> np.ndarray:
        """Which tokens may come next: bool (V,). The end tokens may where the match is complete."""
        if len(self._states) > MAX_STATES:
            self._forget()
        found = self._masks.get((vocabulary, state))
        if found is not None:
            return found
        v, self._looks = vocabulary, 0
        found = np.zeros(len(v.pieces), bool)
        found[v.printing] = self._walk_all(state, v) != DEAD
        for i in {s.item for s in state[0] if s is not None and isinstance(s.item, Token)}:
            named = np.arange(len(found)) == token_id(i, v)
            found |= named != i.negated
        found[list(v.ends)] = None in state[0]
        if len(self._masks) >= MAX_MASKS:
            del self._masks[next(iter(self._masks))]
        found.flags.writeable = False
        self._masks[v, state] = found
        return found

    def _walk_all(self, state: State, v: Vocabulary) -> np.ndarray:
        """The number of the state after each token that prints something: int32 (n,)."""
        at = np.full(len(v.printing), self._number(state), np.int32)
        live, n_bytes = np.arange(len(at)), 0
        while live.size:
            bytes_ = v.data[v.starts[live] + n_bytes]
            after = self._table[at[live], bytes_]
            unknown = after == UNKNOWN
            if unknown.any():
                pairs = at[live][unknown].astype(np.int64) * 256 + bytes_[unknown]
                for pair in np.unique(pairs).tolist():
                    self._after(*divmod(pair, 256))
                after = self._table[at[live], bytes_]
            at[live] = after
            n_bytes += 1
            live = live[(after != DEAD) & (v.lengths[live] > n_bytes)]
        return at

    def _number(self, state: State) -> int:
        found = self._numbers.get(state)
        if found is not None:
            return found
        found = self._numbers[state] = len(self._states)
        self._states.append(state)
        if found == len(self._table):
            self._table = np.concatenate([self._table, np.full_like(self._table, UNKNOWN)])
        return found

    def _after(self, number: int, byte: int) -> int:
        """The number of the state after a byte."""
        after = int(self._table[number, byte])
        if after == UNKNOWN:
            stacks, pending = self._states[number]
            low, high, n_missing = characters(pending + bytes([byte]))
            read = [s for s in stacks if s is not None and isinstance(s.item, Chars)]
            fit = [s for s in read if low <= high and s.item.reaches(low, high)]
            if not fit:
                after = DEAD
            elif n_missing:
                after = self._number((frozenset(fit), pending + bytes([byte])))
            else:
                after = self._number((self._joined(map(self._passed, fit)), b""))
            self._table[number, byte] = after
        return after

    def _joined(self, parts: Iterable[frozenset[Stack | None]]) -> frozenset[Stack | None]:
        parts = list(parts)
        self._looks += sum(map(len, parts))
        if self._looks > MAX_LOOKS:
            raise RequestError(
                f"grammar: what may come next takes more than {MAX_LOOKS} looks: write it with "
                "fewer rules that match the same"
            )
        return self._bounded(frozenset().union(*parts))

    def _bounded(self, stacks: set | frozenset) -> set | frozenset:
        if len(stacks) > MAX_STACKS:
            raise RequestError(
                f"grammar: a text can go on in {len(stacks)} ways at once, want at most "
                f"{MAX_STACKS}: write it with fewer rules that match the same"
            )
        return stacks

    def _passed(self, stack: Stack) -> frozenset[Stack | None]:
        """What is left once the character or token on top was matched."""
        return self._closure(self._stack(stack.way, stack.at + 1, 0, stack.below))

    def _stack(self, way: tuple[Item, ...], at: int, n: int, below: Stack | None) -> Stack | None:
        """The one stack of these items; nothing is left standing of a way that is at its end."""
        if at == len(way):
            return below
        key = (id(way), at, n, below)
        found = self._stacks.get(key)
        if found is None:
            found = self._stacks[key] = Stack(way, at, n, below)
        return found

    def _closure(self, stack: Stack | None) -> frozenset[Stack | None]:
        """Every way to go on: rules, choices and repetitions opened until characters or tokens are
        on top.
        """
        known = self._closures.get(stack)
        if known is not None:
            return known
        todo, seen, found = [stack], set(), set()
        while todo:
            s = todo.pop()
            if s in seen:
                continue
            self._bounded(seen)
            seen.add(s)
            if s is None or isinstance(s.item, (Chars, Token)):
                found.add(s)
            elif isinstance(s.item, Repeat):
                todo += self._repeated(s, s.item)
            else:
                choice = self.rules[s.item.name] if isinstance(s.item, Rule) else s.item
                below = self._stack(s.way, s.at + 1, 0, s.below)
                todo += [self._stack(way, 0, 0, below) for way in choice.ways]
        known = self._closures[stack] = frozenset(found)
        return known

    def _repeated(self, s: Stack, repeat: Repeat) -> list[Stack | None]:
        """Once more, or on to what follows. A count without an upper bound stops at the lower one:
        then the stack after a turn is the stack before it, and a loop needs no more memory.
        """
        found = []
        if s.n >= repeat.low:
            found.append(self._stack(s.way, s.at + 1, 0, s.below))
        if repeat.high is None or s.n < repeat.high:
            n = s.n + 1 if repeat.high is not None else min(s.n + 1, repeat.low)
            again = self._stack(s.way, s.at, n, s.below)
            found += [self._stack(way, 0, 0, again) for way in repeat.ways]
        return found

    def _names(self, stack: Stack | None, token: int, v: Vocabulary) -> bool:
        """Is a token on top of the stack that is this one?"""
        if stack is None or not isinstance(stack.item, Token):
            return False
        return (token == token_id(stack.item, v)) != stack.item.negated


class Matcher:
    """Where one text stands in a grammar, with the tokens of a vocabulary; ``taken`` are those it
    has so far.

    Errors: ``RequestError`` for a token that the grammar names and the vocabulary lacks.
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        for item in grammar.tokens:
            token_id(item, vocabulary)
        self.grammar, self.vocabulary, self.state = grammar, vocabulary, grammar.start
        self.taken: list[int] = []

    def __deepcopy__(self, memo: dict) -> Matcher:
        other = Matcher(self.grammar, self.vocabulary)
        other.state, other.taken = self.state, [*self.taken]
        return other

    @property
    def complete(self) -> bool:
        """May the text end here?"""
        return None in self.state[0]

    def accepts(self, token: int) -> bool:
        """May this token come next?"""
        if token in self.vocabulary.ends:
            return self.complete
        return bool(self.grammar.after(self.state, token, self.vocabulary)[0])

    def allowed(self) -> np.ndarray:
        """Which tokens may come next: bool (V,). Errors: ``RequestError`` where none may."""
        found = self.grammar.allowed(self.state, self.vocabulary)
        if not found.any():
            lacks = "an end token" if self.complete else "a token that goes on with the text"
            raise RequestError(f"grammar: the vocabulary lacks {lacks}")
        return found

    def accept(self, token: int) -> None:
        """Go on by a token. Errors: ``RequestError`` where it does not fit."""
        if not self.accepts(token):
            piece = self.vocabulary.pieces[token]
            raise RequestError(f"grammar: token {token}, {piece!r}, does not fit here")
        if token not in self.vocabulary.ends:
            self.state = self.grammar.after(self.state, token, self.vocabulary)
            self.taken.append(token)

    def rewind(self, n: int) -> None:
        """Go back by the last n tokens, or to the start."""
        kept = self.taken[: max(0, len(self.taken) - n)]
        self.state, self.taken = self.grammar.start, []
        for token in kept:
            self.accept(token)


def characters(begun: bytes) -> tuple[int, int, int]:
    """The code points, low to high, whose UTF-8 begins with these bytes, and how many bytes are
    missing; low above high for bytes that no UTF-8 begins with.
    """
    lead = begun[0]
    n = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if 0x80 <= lead < 0xC0 or lead >= 0xF8 or any(b >> 6 != 2 for b in begun[1:]):
        return 1, 0, 0
    code = lead & (0x7F if n == 1 else 0x7F >> n)
    for b in begun[1:]:
        code = code << 6 | b & 0x3F
    missing = n - len(begun)
    low, high = code << 6 * missing, ((code + 1) << 6 * missing) - 1
    shortest = (0, 0x80, 0x800, 0x10000)[n - 1]  # what fewer bytes can say is not said with more
    return max(low, shortest), min(high, LAST), missing


def token_id(item: Token, vocabulary: Vocabulary) -> int:
    """The id of a token that a grammar names."""
    found = item.name if isinstance(item.name, int) else vocabulary.ids.get(item.name.encode())
    if found is None or found >= len(vocabulary.pieces):
        raise RequestError(f"grammar {item.where}: token {item.name!r}: the vocabulary has none")
    return found
