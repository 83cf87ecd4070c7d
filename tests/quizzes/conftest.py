"""A small bank that tests of the quizzes draw from, and a state folder of the test's own."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

from quizzes.paper import Asked, Paper, draw_all
from quizzes.schema import FOLDER, Bank, Plan, load_bank

SMALL = """\
quiz: "9.1"
questions:
  - id: heads
    kind: number
    topic: heads
    draw:
      G: [2, 4]
      H: G * 4
      h: {from: 2, to: H - 1}
    text: Which of {G} key/value heads does head {h} of {H} read?
    answer: {call: kv_head}
    mistakes:
      - {call: kv_head, with: {h: "h % G * 4"}, why: "{value} is h % G."}
    why: h // (H / G) = {answer}.
  - id: shape
    kind: choice
    topic: shapes
    draw: {D: [256, 512], H: [4, 8], G: [2], E: [32, 64]}
    text: The shape of `attn_k` for D = {D}, G = {G}, E = {E}?
    choices:
      - {right: true, call: tensor_shape, with: {tensor: "'attn_k'"}}
      - {call: tensor_shape, with: {tensor: "'attn_q'"}, why: That is the query.}
      - {text: "({D}, {D}, {D})", why: A matrix has two axes.}
    why: It is {answer}.
  - id: sharing
    kind: choices
    topic: heads
    draw: {h: {from: 0, to: 7}, n: "(h + 4) % 8", m: h // 4 * 4}
    text: Which read the same head as {h}?
    choices:
      - text: "{n}"
        right: {call: shares_kv_head, with: {other: n, H: "8", G: "2"}}
        why: Four apart is another group.
      - text: "{m} itself"
        right: {call: shares_kv_head, with: {other: m, H: "8", G: "2"}}
        why: It begins the group.
      - {text: none, why: A head shares with itself at least.}
    why: The right ones are {answer}.
  - id: steps
    kind: order
    topic: order
    text: Order these.
    items:
      - {text: one, why: It is first.}
      - {text: two, why: It is second.}
      - {text: three, why: It is third.}
    why: One, two, three.
  - id: printed
    kind: code
    topic: code
    draw: {T: [2, 3], E: [4, 5]}
    text: What is printed?
    code: |
      import numpy as np
      print(np.zeros(({T}, {E})).T.shape)
    mistakes:
      - {text: "({T}, {E})", why: It is transposed.}
    why: It prints {answer}.
"""


def small_bank(folder: Path, text: str = SMALL) -> Bank:
    path = folder / "9.1.yaml"
    path.write_text(text, encoding="utf-8")
    return load_bank(path)


@pytest.fixture
def bank(tmp_path) -> Bank:
    return small_bank(tmp_path)


@pytest.fixture
def plan() -> Plan:
    return Plan("9.1", "Small", 5, 0.8, True)


HARD = "~=#{}:\\\\<>&$[]()\"'*`%/|,;- \nnabT1é→"  # every format has some of these for itself


def hard_texts() -> st.SearchStrategy[str]:
    """Texts of characters that formats have for themselves, such as "~=#", "]]>" or "$[a](b)"."""
    return st.text(HARD, min_size=1, max_size=20).filter(str.strip)


def visible(markup: str) -> str:
    """What is read of HTML: text without elements, a space where blocks meet."""
    apart = re.sub(r"</?(?:p|ul|li|pre|br)>", " ", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", apart)).split())


def whole_bank(seed: int = 1) -> Paper:
    """Every question of the packaged bank."""
    return draw_all(load_bank(FOLDER / "bank" / "2.1.yaml"), "ada", seed)


def reply_of(q: Asked, letters: list[str]) -> str:
    return "".join(letters) if q.kind == "order" else ",".join(letters)


def hardened(paper: Paper, text: str, why: str) -> Paper:
    """The paper with these texts for its question, its choices and its reasons."""

    def hard(options):
        return tuple(replace(o, text=f"{o.letter} {text}", why=why) for o in options)

    return replace(
        paper,
        questions=tuple(
            replace(
                q, text=text, why=why, options=hard(q.options),
                mistakes=hard(q.mistakes), code=q.code and text,
                answer=q.answer if q.kind != "code" else " ".join(text.split()),
            )
            for q in paper.questions
        ),
    )  # fmt: skip


@pytest.fixture(scope="session")
def every(tmp_path_factory) -> Paper:
    """All of the small bank: a question of each kind."""
    return draw_all(small_bank(tmp_path_factory.mktemp("small")), "ada", 1)


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    """Progress is kept in this folder, and no setting of the caller's terminal is seen."""
    monkeypatch.setenv("MINENGINE_STATE_DIR", str(tmp_path / "state"))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "state"
