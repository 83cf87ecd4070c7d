"""Taking a quiz in a notebook: ``from quizzes.notebook import take; take("2.1")``.

Owns: the widgets of one sitting. Must not know: banks, what is right beyond a verdict. Read before:
``marking.py``, ``progress.py``, ``terminal.py``. Replies are marked in Python and kept where the
terminal keeps them, so a paper begun there goes on here. The answers are not in the notebook.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets as widgets
from IPython.display import display

from . import markup, portable
from .marking import PASS, Mark, Verdict, judge, mark
from .paper import Asked, Paper, draw
from .progress import Progress, user_name
from .replies import how_to_reply

STYLE = (
    "<style>.quiz-nb pre{padding:.5em;border-left:3px solid #8888;white-space:pre-wrap}"
    ".quiz-nb .right{color:#1a7f37}.quiz-nb .wrong{color:#b3261e}"
    ".quiz-nb .dim{opacity:.7}</style>"
)


def take(quiz: str, student: str | None = None, seed: str | None = None) -> Sitting:
    """Show a paper of this quiz in the notebook and return what is going on in it.

    The paper is that of your user name unless ``student`` is given. ``seed`` says which one;
    otherwise it is the unfinished one, or the next. DrawError for a quiz that does not exist.
    """
    student = student or user_name()
    progress = Progress.load(quiz, student)
    paper = draw(quiz, student, progress.seed(seed, restart=False))
    sitting = Sitting(paper, progress)
    display(sitting.box)
    return sitting


class Sitting:
    """One paper in a notebook: ``cards`` by question id, ``mark`` once all are answered."""

    def __init__(self, paper: Paper, progress: Progress) -> None:
        self.paper, self.progress = paper, progress
        self.replies = progress.open(paper.seed, paper.digest, restart=False)
        self.mark: Mark | None = None
        self.score = widgets.HTML()
        self.cards = {
            q.id: Card(q, f"{n} of {len(paper.questions)}", self.replied)
            for n, q in enumerate(paper.questions, 1)
        }
        for name, reply in self.replies.items():
            if name in self.cards:
                self.cards[name].settle(reply)
        plan = paper.plan
        head = html(
            f"<h3>Quiz {escape(plan.quiz)}, {escape(plan.title)}</h3><p>{len(paper.questions)} "
            f"questions, {paper.n_needed} right answers pass.</p>"
        )
        cards = [card.box for card in self.cards.values()]
        self.box = widgets.VBox([widgets.HTML(STYLE), head, *cards, self.score])
        self.tell()

    def _ipython_display_(self) -> None:
        """Nothing: ``take`` has shown the box, also where it is the last line of its cell."""

    def replied(self, q: Asked, reply: str) -> None:
        """Keep a reply; after the last one the paper is marked."""
        self.replies[q.id] = reply
        self.progress.save()
        self.tell()

    def tell(self) -> None:
        """Show how far it is, or how it came out."""
        right = sum(card.right is True for card in self.cards.values())
        total = len(self.cards)
        left = total - len(self.replies)
        if left:
            self.score.value = body(f"<b>{right} right so far, {left} of {total} open.</b>")
            return
        if self.mark is None:
            self.mark = mark(self.paper, self.replies)
            self.progress.finish(self.paper.seed, self.mark.n_right)
        word, sign = ("passed", "right") if self.mark.passed else ("not passed", "wrong")
        self.score.value = body(
            f'<b class="{sign}">{self.mark.n_right} of {total} right: {word}</b> '
            f"({self.paper.n_needed} pass). take({self.paper.plan.quiz!r}) begins another paper."
        )


class Card:
    """One question: its text, a control for the reply, a button, the verdict."""

    def __init__(self, q: Asked, place: str, replied: Callable[[Asked, str], None]) -> None:
        self.q, self.replied = q, replied
        self.right: bool | None = None
        self.control = CONTROLS[q.kind](q)
        self.check = widgets.Button(description="Check", button_style="primary")
        self.skip = widgets.Button(description="I do not know")
        self.check.on_click(lambda _: self.answer(self.control.reply()))
        self.skip.on_click(lambda _: self.answer(PASS))
        self.told = widgets.HTML()
        asked = html(
            f'<p class="dim">{place} · {escape(q.topic)}</p>{markup.html(q.text)}{portable.code(q)}'
        )
        how = html(f'<p class="dim">({escape(how_to_reply(q))})</p>')
        self.buttons = widgets.HBox([self.check, self.skip])
        self.box = widgets.VBox(
            [asked, self.control.box, how, self.buttons, self.told],
            layout=widgets.Layout(border="1px solid #8886", padding="0.5em 1em", margin="0 0 1em"),
        )

    def answer(self, reply: str) -> None:
        """Judge a reply, once; an empty one is asked for again."""
        if self.right is not None:
            return
        if not reply.strip():
            self.told.value = body("Give an answer, or say that you do not know.")
            return
        self.settle(reply)
        self.replied(self.q, reply)

    def settle(self, reply: str) -> None:
        """Show the verdict of a reply, and take no other."""
        verdict = judge(self.q, reply)
        self.right = verdict.right
        self.control.freeze()
        self.buttons.layout.display = "none"
        self.told.value = body(verdict_html(verdict))


def verdict_html(v: Verdict) -> str:
    """Right or wrong, why a wrong reply is wrong, the answer, its explanation."""
    sign = '<b class="right">✓ Right.</b>' if v.right else '<b class="wrong">✗ Wrong.</b>'
    said = "" if v.reply in ("", PASS) else f' <span class="dim">You said: {escape(v.reply)}</span>'
    answer = "" if v.right else f"<p>The answer: <b>{escape(v.question.shown)}</b></p>"
    if v.question.kind == "choice" and not v.right:
        shown = f"{v.question.answer[0]}) {markup.inline_html(v.question.shown)}"
        answer = f"<p>The answer: <b>{shown}</b></p>"
    return f"<p>{sign}{said}</p>{markup.html(v.reason)}{answer}{markup.html(v.question.why)}"


def html(text: str) -> widgets.HTML:
    """Our own markup as a widget."""
    return widgets.HTML(body(text))


def body(text: str) -> str:
    """Markup that STYLE speaks of."""
    return f'<div class="quiz-nb">{text}</div>'


# Controls: each has a box, gives a reply as marking reads it, and can be frozen


class Boxes:
    """A box to tick for each choice; of one choice the others are unticked."""

    def __init__(self, q: Asked) -> None:
        self.boxes = {
            o.letter: widgets.Checkbox(
                value=False, indent=False, description=f"choice {o.letter}",
                layout=widgets.Layout(width="7em"),
            )
            for o in q.options
        }  # fmt: skip
        if q.kind == "choice":
            for letter, box in self.boxes.items():
                box.observe(self.alone(letter), names="value")
        self.box = widgets.VBox(
            [
                widgets.HBox([self.boxes[o.letter], html(markup.inline_html(o.text))])
                for o in q.options
            ]
        )

    def alone(self, letter: str) -> Callable[[dict], None]:
        """What unticks all others when this one is ticked."""

        def changed(change: dict) -> None:
            if change["new"]:
                for other, box in self.boxes.items():
                    box.value = other == letter

        return changed

    def reply(self) -> str:
        """The letters that are ticked."""
        return " ".join(letter for letter, box in self.boxes.items() if box.value)

    def freeze(self) -> None:
        """No more changes."""
        for box in self.boxes.values():
            box.disabled = True


class Line:
    """A line to type; for an order, above it the items with their letters."""

    def __init__(self, q: Asked) -> None:
        self.text = widgets.Text(
            placeholder="letters in order, such as c a b" if q.kind == "order" else "",
            description="Answer", layout=widgets.Layout(width="28em"),
        )  # fmt: skip
        items = "".join(f"<li>{o.letter}) {markup.inline_html(o.text)}</li>" for o in q.options)
        listed = [html(f'<ul style="list-style:none">{items}</ul>')] if items else []
        self.box = widgets.VBox([*listed, self.text])

    def reply(self) -> str:
        """What was typed."""
        return self.text.value

    def freeze(self) -> None:
        """No more changes."""
        self.text.disabled = True


CONTROLS = {"choice": Boxes, "choices": Boxes, "number": Line, "code": Line, "order": Line}
