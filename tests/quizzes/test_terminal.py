"""`quiz take` as a person takes it: a real process on a pseudo terminal, keys in, screen out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

import pytest

from quizzes.paper import draw
from quizzes.progress import Progress

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>78])|\r")
PATIENCE_S = 60  # how long a step may take before the test gives up; never asserted


class Person:
    """Somebody at a terminal of 100 columns running ``quiz``."""

    def __init__(self, *arguments: str, term: str = "xterm-256color", **more: str) -> None:
        self.screen, slave = pty.openpty()
        environment = os.environ | {"TERM": term, "COLUMNS": "100", "LINES": "40"} | more
        # a pty nobody emulates does not answer where its cursor is
        environment["PROMPT_TOOLKIT_NO_CPR"] = "1"
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from quizzes.cli.main import main; main()", *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
        )  # fmt: skip
        os.close(slave)
        self.raw, self.seen = "", 0

    @property
    def text(self) -> str:
        """All that was shown, escapes left out."""
        return ESCAPES.sub("", self.raw)

    def read(self) -> bool:
        """Take what is there; False when the program has ended."""
        try:
            ready, _, _ = select.select([self.screen], [], [], 0.2)
            if ready:
                data = os.read(self.screen, 65536)
                self.raw += data.decode("utf-8", "replace")
                return bool(data)
        except OSError:  # Linux reports the end of a pty as EIO
            return False
        return True

    def wait_for(self, words: str) -> None:
        """Read until the words are shown after those waited for before."""
        until = time.monotonic() + PATIENCE_S
        while True:
            flat = " ".join(self.text.split())
            at = flat.find(words, self.seen)
            if at >= 0:
                self.seen = at + len(words)
                return
            assert time.monotonic() < until, f"{words!r} is not in ...{flat[self.seen :][-2000:]!r}"
            assert self.read() or words in " ".join(self.text.split()), (
                f"the program ended before {words!r}: ...{flat[-2000:]!r}"
            )

    def press(self, keys: str) -> None:
        os.write(self.screen, keys.encode())

    def exit_code(self) -> int:
        """The exit code, after all output."""
        until = time.monotonic() + PATIENCE_S
        while self.read() and time.monotonic() < until:
            if self.process.poll() is not None and not select.select([self.screen], [], [], 0)[0]:
                break
        return self.process.wait(PATIENCE_S)

    def leave(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.screen)


@pytest.fixture
def person(state):
    people = []

    def come(*arguments, **more):
        people.append(Person(*arguments, **more))
        return people[-1]

    yield come
    for somebody in people:
        somebody.leave()


def keys_for(q):
    """The keys of the right answer."""
    if isinstance(q.answer, tuple):
        return "".join(q.answer) + "\r"
    return f"{q.answer}\r"


def test_a_person_takes_a_quiz_leaves_comes_back_and_passes(person, state):
    questions = draw("2.1", "ada", "1").questions
    ada = person("take", "2.1", "--student", "ada")
    ada.wait_for("8 right answers pass")
    for number, q in enumerate(questions[:3], 1):
        ada.wait_for(f"{number} of 10")
        ada.wait_for("if you do not know")
        ada.press("?\r" if q.kind in ("number", "code") and number == 1 else keys_for(q))
        ada.wait_for("Any key")
        ada.press("n")
    ada.wait_for("4 of 10")
    ada.wait_for("if you do not know")
    ada.press("\x03")
    assert ada.exit_code() == 130
    assert "the same command goes on" in ada.text
    assert "Traceback" not in ada.text
    assert len(Progress.load("2.1", "ada").papers["1"]["replies"]) == 3

    again = person("take", "2.1", "--student", "ada")
    again.wait_for("Going on: 3 of 10 are answered")
    for number, q in enumerate(questions[3:], 4):
        again.wait_for(f"{number} of 10")
        again.wait_for("if you do not know")
        again.press(keys_for(q))
        again.wait_for("Right.")
        if number < 10:
            again.wait_for("Any key")
            again.press(" ")
    again.wait_for("of 10 right passed")
    assert again.exit_code() == 0
    assert Progress.load("2.1", "ada").seed(None, restart=False) == "2"


def test_wrong_replies_are_explained_and_the_quiz_is_not_passed(person):
    paper = draw("2.1", "eve", "7")
    eve = person("take", "2.1", "-s", "eve", "--seed", "7", NO_COLOR="1")
    for number, q in enumerate(paper.questions, 1):
        eve.wait_for(f"{number} of 10")
        eve.wait_for("if you do not know")
        if q.kind == "choice":
            wrong = next(o for o in q.options if not o.right)
            eve.press(wrong.letter + "\r")
            eve.wait_for("Wrong.")
            eve.wait_for(wrong.why.replace("`", "")[:30])
        else:
            eve.press("?\r" if q.kind in ("number", "code") else "?")
            eve.wait_for("No answer was given.")
        eve.wait_for("The answer:")
        if number < 10:
            eve.wait_for("Any key")
            eve.press("n")
    eve.wait_for("0 of 10 right not passed")
    assert eve.exit_code() == 1
    assert not re.search(r"\x1b\[[0-9;]*3[1-7]m", eve.raw), "NO_COLOR is respected"


def test_a_terminal_without_a_cursor_gets_plain_lines(person):
    paper = draw("2.1", "bob", "1")
    bob = person("take", "2.1", "-s", "bob", term="dumb")
    for q in paper.questions:
        bob.wait_for("Your answer (? if you do not know):")
        bob.press(keys_for(q).replace("\r", "\n"))
    bob.wait_for("10 of 10 right passed")
    assert bob.exit_code() == 0
    assert "\x1b[" not in bob.raw.replace("\x1b[?2004", "")
