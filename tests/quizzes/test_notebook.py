"""A quiz taken in a notebook: a real kernel runs the cells, and widgets are pressed in it."""

from __future__ import annotations

import json

import nbformat
from nbclient import NotebookClient

from quizzes.paper import draw
from quizzes.progress import Progress

CELLS = [
    "from quizzes.notebook import take\nsitting = take('2.2', 'ada', '1')",
    # each control is set as a person would, the first question passed, the second left empty once
    """
cards = list(sitting.cards.values())
cards[0].skip.click()
cards[1].check.click()
empty = cards[1].told.value
for card in cards[1:]:
    if hasattr(card.control, "boxes"):
        for letter in card.q.answer:
            card.control.boxes[letter].value = True
    else:
        card.control.text.value = (
            " ".join(card.q.answer) if card.q.kind == "order" else str(card.q.answer)
        )
    card.check.click()
cards[2].answer("never taken")
""",
    """
import json
one = next((c for c in cards if c.q.kind == "choice"), None)
print(json.dumps({
    "right": [c.right for c in cards], "empty": empty, "score": sitting.score.value,
    "first": cards[0].told.value, "n_right": sitting.mark.n_right,
    "frozen": cards[0].buttons.layout.display,
    "ticked": [sum(b.value for b in c.control.boxes.values()) for c in cards
               if c.q.kind == "choice"],
}))
""",
    "take('2.2', 'ada')",
]


def test_a_paper_is_taken_with_widgets_and_marked_in_python(state, monkeypatch):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    shown = notebook.cells[0].outputs
    assert [o.output_type for o in shown] == ["display_data"]
    assert "application/vnd.jupyter.widget-view+json" in shown[0].data
    found = json.loads(notebook.cells[2].outputs[0].text)
    paper = draw("2.2", "ada", "1")
    assert found["right"] == [False] + [True] * 9
    assert found["n_right"] == 9
    assert "9 of 10 right: passed" in found["score"]
    assert "Give an answer" in found["empty"]
    assert "No answer was given" in found["first"]
    assert found["frozen"] == "none"
    assert all(n == 1 for n in found["ticked"])
    kept = Progress.load("2.2", "ada")
    assert kept.papers["1"] == {
        "paper": paper.digest, "replies": kept.papers["1"]["replies"], "n_right": 9,
    }  # fmt: skip
    assert len(notebook.cells[3].outputs) == 1, "the next paper is shown once, not twice"
