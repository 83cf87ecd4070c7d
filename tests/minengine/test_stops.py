"""Stop texts: nothing of one is ever said, wherever the pieces are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minengine.stops import Stops

TEXTS = st.text("ab\n", max_size=30)
STOPS = st.lists(st.text("ab\n", min_size=1, max_size=5), max_size=4)


def said(pieces: list[str], stops: list[str]) -> tuple[str, str | None]:
    cutter = Stops(stops)
    text = "".join(map(cutter.push, pieces))
    return text + cutter.flush(), cutter.found


def naive(text: str, stops: list[str]) -> tuple[str, str | None]:
    """Read character by character until one of the stops is complete; the longest of these."""
    for n in range(1, len(text) + 1):
        met = [s for s in stops if text[:n].endswith(s)]
        if met:
            stop = max(met, key=len)
            return text[: n - len(stop)], stop
    return text, None


@given(TEXTS, STOPS, st.lists(st.integers(1, 6), max_size=30))
def test_what_is_said_ends_before_the_first_stop_however_the_pieces_are_cut(text, stops, cuts):
    pieces, at = [], 0
    for n in cuts:
        pieces.append(text[at : at + n])
        at += n
    assert said([*pieces, text[at:]], stops) == naive(text, stops)


@given(TEXTS, STOPS)
def test_only_what_may_begin_a_stop_waits(text, stops):
    cutter, told = Stops(stops), ""
    for n, character in enumerate(text, 1):
        told += cutter.push(character)
        if cutter.found is not None:
            assert cutter.push("ab") == cutter.flush() == ""
            break
        waits = text[len(told) : n]
        assert not waits or any(s.startswith(waits) for s in stops)
