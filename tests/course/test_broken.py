"""The engines that are broken on purpose: their symptoms are seen, and only right fixes pass."""

from __future__ import annotations

import re

import numpy as np
import pytest

from course.broken import (
    BROKEN,
    engine,
    network,
    right,
    right_text,
    source,
    trace,
    what_is_wrong,
)
from minengine import Engine
from minengine.errors import RequestError


class Keeper:
    """Gathers anew only where fewer rows are asked for than are kept, which is no cure: after a
    rewind a longer pass may come next.
    """

    def __init__(self):
        self.kept = {}

    def __call__(self, rows, table, n, where):
        known = self.kept.get(where)
        if known is None or n <= len(known):
            known = network.gather(rows, table, n, where)
        else:
            more = network.gather(rows, table, n, where)[len(known) :]
            known = np.concatenate([known, more])
        self.kept[where] = known
        return known


class ByTable(Keeper):
    """Keeps by the whole table: a rewind within a block is not seen."""

    def __call__(self, rows, table, n, where):
        return super().__call__(rows, table, n, (*where, tuple(table)))


def half(scores):
    return scores.astype(np.float16)


# engine -> (a right fix, the wrong ones that people try first)
FIXES = {
    "crowd": (
        lambda x, w, eps: x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + eps) * w,
        [
            lambda x, w, eps: x / np.sqrt(np.mean(x * x, axis=0) + eps) * w,
            lambda x, w, eps: x / np.sqrt(np.sum(x * x, axis=1, keepdims=True) + eps) * w,
            lambda x, w, eps: x / (np.sqrt(np.mean(x * x, axis=1, keepdims=True)) + eps) * w,
        ],
    ),
    "other_heads": (
        lambda h, H, G: h * G // H,
        [lambda h, H, G: h // G, lambda h, H, G: (h + 1) % G, lambda h, H, G: h * G % H],
    ),
    "overflow": (
        lambda s: (e := np.exp(s - s.max(-1, keepdims=True))) / e.sum(-1, keepdims=True),
        [
            # NaN painted over; no maximum in more bits; clipped; the smallest for the largest
            lambda s: np.nan_to_num((e := np.exp(half(s))) / e.sum(-1, keepdims=True)),
            lambda s: (e := np.exp(s)) / e.sum(-1, keepdims=True),
            lambda s: (e := np.exp(np.minimum(s, 11))) / e.sum(-1, keepdims=True),
            lambda s: (e := np.exp(s - s.min(-1, keepdims=True))) / e.sum(-1, keepdims=True),
        ],
    ),
    "eavesdropper": (
        lambda before, tokens: (before, tokens),
        [
            lambda before, tokens: before,
            lambda before, tokens: (min(before, 1), tokens),
            lambda before, tokens: before + sum(tokens),
            lambda before, tokens: f"{before}{''.join(map(str, tokens))}",
        ],
    ),
    "ghost": (network.gather, [Keeper, ByTable]),
    "monotony": (
        lambda mu, surprise, tau, eta: mu - eta * (surprise - tau),
        [
            lambda mu, surprise, tau, eta: 2 * tau - eta * (surprise - tau),
            lambda mu, surprise, tau, eta: mu - eta * surprise,
            lambda mu, surprise, tau, eta: min(mu + eta * (surprise - tau), 2 * tau),
        ],
    ),
}


def seen(name: str, made: network.PartsEngine) -> str:
    """The text of the scene, or the error in its place."""
    try:
        return BROKEN[name].scene(made)
    except Exception as error:
        return str(error)


def test_without_an_exchanged_part_it_is_the_engine():
    ids = Engine().tokenize("ROMEO:\nWhat light through yonder window breaks?")
    plain, parted = Engine(mode="exact"), right()
    np.testing.assert_allclose(parted.logits(ids), plain.logits(ids), atol=1e-3)
    whole, last = trace(parted, ids), trace(parted, ids, chunks=(len(ids) - 1, 1))
    np.testing.assert_allclose(last["logits"][0], whole["logits"][-1], atol=1e-3)
    assert list(whole)[:3] == ["embed", "blk.0.attn_norm", "blk.0.attn_q"]


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_symptom_is_seen_in_text_and_belongs_to_that_engine_alone(name):
    true, broken = right_text(name), seen(name, engine(name))
    assert true != broken
    if name in ("noise", "ghost"):  # those that keep something: nothing of it is left
        assert seen(name, right(name)) == true


@pytest.mark.parametrize("name", FIXES)
def test_a_right_fix_passes_and_the_first_wrong_ones_do_not(name):
    fix, wrong = FIXES[name]
    with np.errstate(all="ignore"):
        assert what_is_wrong(name, fix) == []
        assert what_is_wrong(name, BROKEN[name].broken(), first=True)
        for number, one in enumerate(wrong):
            assert what_is_wrong(name, one, first=True), f"wrong fix {number} of {name} passes"


@pytest.mark.parametrize("name", BROKEN)
def test_the_text_of_a_part_is_short_and_does_not_say_what_is_wrong(name):
    text, row = source(name), BROKEN[name]
    assert re.search(rf"^(def|class) {row.part}\b", text, re.M)
    assert len(text.splitlines()) < 35
    assert row.title
    assert row.differs
    assert not re.search(r"\b(wrong|bug|broken|mistake)\b", text + row.symptom, re.I)


def test_a_part_that_raises_or_gives_nonsense_is_told():
    def fails(n_queries, n_keys):
        raise ZeroDivisionError("no")

    assert any("ZeroDivisionError" in text for text in what_is_wrong("stutter", fails))
    assert what_is_wrong("stutter", lambda n_queries, n_keys: np.ones((1, 2, 3)), first=True)
    with pytest.raises(RequestError, match="stutter"):
        engine("none")
