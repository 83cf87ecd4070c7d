"""A small bank that tests of the quizzes draw from, and a state folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from quizzes.schema import Bank, Plan, load_bank

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


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    """Progress is kept in this folder, and no setting of the caller's terminal is seen."""
    monkeypatch.setenv("MINENGINE_STATE_DIR", str(tmp_path / "state"))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "state"
