"""Replies from the keyboard: arrows and letters on a terminal that can, plain lines on one that
cannot.

Owns: keys and what they do. Must not know: what is right, files, progress. Read before:
``marking.read``. Ctrl-C and Ctrl-D leave by KeyboardInterrupt and EOFError; the caller has kept
what was answered before.
"""

from __future__ import annotations

import os

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style
from prompt_toolkit.validation import ValidationError, Validator

from . import markup
from .errors import AnswerError
from .marking import PASS, read
from .paper import Asked
from .replies import how_to_reply

STYLE = Style.from_dict(
    {
        "code": "ansicyan",
        "strong": "bold",
        "cursor": "bold",
        "taken": "ansigreen bold",
        "help": "ansibrightblack",
        "validation-toolbar": "noreverse ansired",
    }
)
HELP = {
    "choice": "↑ ↓ or a letter to move, Enter to answer, ? if you do not know",
    "choices": "↑ ↓ to move, Space or a letter to tick, Enter to answer, ? if you do not know",
    "order": "Space or a letter puts an item next, Backspace takes one back, Enter to answer, "
    "? if you do not know",
}


def ask(q: Asked) -> str:
    """A reply to one question, readable as one; "?" for none."""
    if q.kind in HELP:
        return Menu(q).run()
    return ask_line(q)


class Menu:
    """The choices of a question with a cursor; ``taken`` are letters in the order of taking."""

    def __init__(self, q: Asked) -> None:
        self.q, self.at, self.taken = q, 0, []
        self.letters = [o.letter for o in q.options]
        self.complaint = ""

    def run(self) -> str:
        """Show the menu until it is answered; it is erased afterwards."""
        lines = Window(
            FormattedTextControl(self.lines, focusable=True, show_cursor=False),
            wrap_lines=True,
            get_line_prefix=lambda _, wrap: "          " if wrap else "",
            dont_extend_height=True,
        )
        help_line = Window(
            FormattedTextControl(self.help), dont_extend_height=True, wrap_lines=True
        )
        return Application(
            layout=Layout(HSplit([lines, Window(height=1), help_line])),
            key_bindings=self.keys(),
            style=STYLE,
            erase_when_done=True,
            color_depth=color_depth(),
        ).run()

    def lines(self) -> StyleAndTextTuples:
        """The choices: cursor, tick or place, letter, text."""
        out: StyleAndTextTuples = []
        for i, o in enumerate(self.q.options):
            taken = o.letter in self.taken
            mark = {"choice": " ", "choices": "x" if taken else " "}.get(
                self.q.kind, str(self.taken.index(o.letter) + 1) if taken else " "
            )
            box = "" if self.q.kind == "choice" else f"[{mark}] "
            cursor = "class:cursor" if i == self.at else ""
            out.append((cursor, " > " if i == self.at else "   "))
            out.append(("class:taken" if taken else cursor, f"{box}{o.letter})  "))
            for style, part in markup.spans(markup.printable(o.text)):
                bare = style == "code" and color_depth() is not None
                shown = f"`{part}`" if bare else part
                out.append((f"{cursor} class:{style}" if style else cursor, shown))
            out.append(("", "\n" if i + 1 < len(self.q.options) else ""))
        return out

    def help(self) -> StyleAndTextTuples:
        """What the keys do, or why Enter did not work."""
        if self.complaint:
            return [("class:validation-toolbar", self.complaint)]
        return [("class:help", HELP[self.q.kind])]

    def keys(self) -> KeyBindings:
        """What each key does."""
        keys = KeyBindings()
        for names, step in ((("up", "c-p"), -1), (("down", "c-n", "tab"), 1)):
            for name in names:
                keys.add(name)(lambda event, step=step: self.move(self.at + step))
        for i, letter in enumerate(self.letters):
            for key in (letter, letter.upper()):
                keys.add(key)(lambda event, i=i: self.letter(i))
        keys.add(" ")(lambda event: self.take(self.at))
        keys.add("backspace")(lambda event: self.take_back())
        keys.add("enter")(self.enter)
        keys.add(PASS)(lambda event: event.app.exit(result=PASS))
        keys.add("c-c")(lambda event: event.app.exit(exception=KeyboardInterrupt))
        keys.add("c-d")(lambda event: event.app.exit(exception=EOFError))
        return keys

    def move(self, to: int) -> None:
        """Put the cursor on a line; it goes round."""
        self.at, self.complaint = to % len(self.letters), ""

    def letter(self, i: int) -> None:
        """A letter moves the cursor, and takes the choice where several are taken."""
        self.move(i)
        if self.q.kind != "choice":
            self.take(i)

    def take(self, i: int) -> None:
        """Take a choice, or let go of it again."""
        letter, self.complaint = self.letters[i], ""
        if self.q.kind == "choice":
            return
        if letter in self.taken:
            self.taken.remove(letter)
        else:
            self.taken.append(letter)

    def take_back(self) -> None:
        """Let go of what was taken last."""
        if self.taken:
            self.taken.pop()

    def enter(self, event: KeyPressEvent) -> None:
        """Answer, if the reply is one."""
        reply = self.letters[self.at] if self.q.kind == "choice" else " ".join(self.taken)
        try:
            read(self.q, reply or "-")
        except AnswerError:
            self.complaint = {
                "choices": "Tick at least one with Space or its letter; ? if you do not know.",
                "order": f"Place all {len(self.letters)} first; ? if you do not know.",
            }[self.q.kind]
            return
        event.app.exit(result=reply)


class Readable(Validator):
    """Lets a line through that reads as a reply, or that is "?"."""

    def __init__(self, q: Asked) -> None:
        self.q = q

    def validate(self, document) -> None:
        """ValidationError says what cannot be read."""
        if document.text.strip() == PASS:
            return
        try:
            if not document.text.strip():
                raise AnswerError("type a reply, or ? if you do not know")
            read(self.q, document.text.strip())
        except AnswerError as error:
            raise ValidationError(len(document.text), str(error)) from None


def ask_line(q: Asked) -> str:
    """A typed reply, checked for being readable before it is taken."""
    session: PromptSession[str] = PromptSession(
        message=[
            ("class:help", f"{how_to_reply(q)}\n? if you do not know\n\n"),
            ("", "Your answer: "),
        ],
        validator=Readable(q),
        validate_while_typing=False,
        reserve_space_for_menu=0,
        style=STYLE,
        color_depth=color_depth(),
        erase_when_done=True,
    )
    return session.prompt().strip()


def ask_plainly(q: Asked) -> str:
    """A reply typed on a plain line, for screen readers and terminals without a cursor."""
    while True:
        reply = input("Your answer (? if you do not know): ").strip()
        if reply == PASS:
            return reply
        try:
            if reply:
                read(q, reply)
                return reply
        except AnswerError as error:
            print(error)


def pause() -> None:
    """Wait for Enter, Space or any letter before the next question."""
    keys = KeyBindings()
    keys.add("<any>")(lambda event: event.app.exit())
    keys.add("c-c")(lambda event: event.app.exit(exception=KeyboardInterrupt))
    keys.add("c-d")(lambda event: event.app.exit(exception=EOFError))
    line = Window(FormattedTextControl([("class:help", "Any key for the next question")]), height=1)
    Application(
        layout=Layout(line), key_bindings=keys, style=STYLE, erase_when_done=True,
        color_depth=color_depth(),
    ).run()  # fmt: skip


def color_depth() -> ColorDepth | None:
    """No colours where NO_COLOR is set; prompt_toolkit's own choice elsewhere."""
    return ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None


def is_plain() -> bool:
    """A terminal that cannot move its cursor."""
    return os.environ.get("TERM", "dumb") in ("dumb", "unknown", "")
