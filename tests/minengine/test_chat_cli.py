"""``minengine chat`` as a person and as a program use it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from minengine import Engine
from minengine.chat import ChatTemplate
from minengine.cli.chat import COMMANDS, CONTROLS, Conversation
from minengine.errors import RequestError
from minengine.stops import Stops

PROGRAM = [sys.executable, "-c", "from minengine.cli.main import main; main()", "chat"]
ENVIRONMENT = os.environ | {"NO_COLOR": "1", "COLUMNS": "200"}
PATIENCE_S = 30
LONG = "Before we proceed any further, hear me speak. " * 3  # more than a block of the cache
# the terminal is told that text may be pasted, and no more: a line is awaited, and was taken
READY, TAKEN = b"\x1b[?2004h", b"\x1b[?2004l"


def talk(*lines: str, flags: tuple = ()) -> tuple[int, str, str]:
    """Exit code, stdout and stderr after lines on stdin."""
    ran = subprocess.run(
        [*PROGRAM, *map(str, flags)], input="".join(f"{line}\n" for line in lines),
        capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S,
    )  # fmt: skip
    return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1) as e:
        yield e


@pytest.fixture(scope="module")
def template(engine):
    made = ChatTemplate(engine.model.file.metadata, engine.tokenizer)
    yield made
    made.close()


@pytest.fixture
def conversation(engine, template):
    said: list[str] = []
    made = Conversation(engine, template, said.append, max_tokens=20, seed=1)
    made.said = said
    return made


def answered(conversation: Conversation, text: str) -> dict:
    *pieces, last = conversation.answer(text)
    assert "".join(pieces) == last["content"]
    return last


def test_every_turn_is_what_the_engine_writes_after_the_whole_conversation(engine, template):
    code, out, _ = talk(LONG, "And then?", flags=("--json", "--seed", 3, "-n", 12))
    assert code == 0
    first, second = map(json.loads, out.splitlines())
    messages = [{"role": "user", "content": LONG}]
    for found in (first, second):
        ids, stops = template.encode(messages), Stops(template.stops)
        pieces = engine.generate(ids, seed=3, max_tokens=12)
        want = "".join(map(stops.push, pieces)) + stops.flush()
        assert (found["content"], found["n_prompt"]) == (want, len(ids))
        messages += [
            {"role": "assistant", "content": want}, {"role": "user", "content": "And then?"},
        ]  # fmt: skip
    assert first["n_cached"] == 0
    assert second["n_cached"] >= first["n_prompt"] // 32 * 32 > 0


def test_plain_output_is_the_answers_and_all_else_goes_to_stderr():
    code, out, err = talk("Hello", "", "/help", "/quit", "never", flags=("--seed", 1, "-n", 8))
    _, as_json, _ = talk("Hello", flags=("--seed", 1, "-n", 8, "--json"))
    assert code == 0
    assert out == json.loads(as_json)["content"] + "\n"
    assert "the file has no template; plain lines" in err
    assert all(usage in err for usage in COMMANDS)


def test_commands_reset_save_and_set_the_system_message(tmp_path):
    path = tmp_path / "talk.json"
    lines = ("One", "/reset", "/system Be brief.", "Two", f"/save {path}", "/dance", "/save /no/x")
    code, _, err = talk(*lines, flags=("--seed", 1, "-n", 4))
    assert code == 0
    messages = json.loads(path.read_text("utf-8"))["messages"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant"]
    assert [m["content"] for m in messages[:2]] == ["Be brief.", "Two"]
    assert "(/dance: got '', want one of /reset" in err
    assert "(/no/x: No such file or directory)" in err


def test_a_full_context_drops_the_oldest_exchanges_and_says_so(conversation):
    conversation.system("Be brief.")
    for n in range(12):
        answered(conversation, f"{n} What say you now to that, my lord? " * 3)
    first, *rest = conversation.messages
    assert first["content"] == "Be brief."
    assert [m["role"] for m in rest] == ["user", "assistant"] * (len(rest) // 2)
    assert rest[-2]["content"].startswith("11 ")
    assert "the context of 512 tokens is full: the 2 oldest messages are dropped" in (
        conversation.said
    )


def test_a_message_that_can_not_fit_is_refused_and_forgotten(conversation):
    answered(conversation, "Hello")
    before = list(conversation.messages)
    with pytest.raises(RequestError, match="the context holds 512"):
        answered(conversation, "x" * 3000)
    assert conversation.messages == before
    assert answered(conversation, "Hello")["n_tokens"] > 0


def test_an_answer_ends_at_the_stops_of_the_template(conversation, monkeypatch):
    whole = answered(conversation, "Hello")["content"]
    conversation.reset()
    monkeypatch.setattr(conversation.template, "stops", (whole[5:9],))
    found = answered(conversation, "Hello")
    assert (found["content"], found["reason"]) == (whole[: whole.index(whole[5:9])], "stop")


def test_what_a_terminal_would_obey_is_replaced():
    assert "a\x1b[2J\x07\x9b\n\té\u200d".translate(CONTROLS) == "a\ufffd[2J\ufffd\ufffd\n\té\u200d"


def test_every_answer_is_within_a_grammar():
    flags = ("--json", "--seed", 1, "--json-schema", '{"type": "boolean"}')
    code, out, _ = talk("Hello", "Really?", flags=flags)
    assert code == 0
    assert [json.loads(line)["content"] in ("true", "false") for line in out.splitlines()] == [
        True, True,
    ]  # fmt: skip
    code, _, err = talk(flags=("--grammar", "root ::= x"))
    assert (code, err) == (
        2,
        "minengine: grammar 1:10: got 'x' in rule root, want a rule there is\n",
    )


def test_a_template_that_is_not_there_is_one_line_and_exit_2():
    code, out, err = talk(flags=("--template", "rag"))
    assert (code, out) == (2, "")
    assert err == "minengine: chat template 'rag': the file has none\n"


class Terminal:
    """The program at a terminal of its own."""

    def __init__(self, *flags) -> None:
        self.end, other = pty.openpty()
        environment = ENVIRONMENT | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.process = subprocess.Popen(
            [*PROGRAM, *map(str, flags)], stdin=other, stdout=other, stderr=subprocess.PIPE,
            env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(other)
        self.shown = b""

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def read(self) -> None:
        """What is shown next."""
        assert select.select([self.end], [], [], PATIENCE_S)[0], self.shown
        self.shown += os.read(self.end, 4096)

    def until_ready(self, n: int) -> None:
        """Read until the program waits for its n-th line."""
        while self.shown.count(READY) < n:
            self.read()

    def ended(self) -> tuple[int, bytes]:
        with contextlib.suppress(OSError):  # Linux says so when the other side has gone
            while True:
                self.read()
        err = self.process.communicate(timeout=PATIENCE_S)[1]
        os.close(self.end)
        return self.process.returncode, err


def test_at_a_terminal_ctrl_c_ends_an_answer_and_not_the_program(tmp_path, engine, template):
    path = tmp_path / "talk.json"
    terminal = Terminal("--seed", 1, "-n", 400)
    terminal.until_ready(1)
    terminal.type("thrown away\x03")
    terminal.until_ready(2)
    terminal.type("Hello\r")
    while terminal.shown.count(TAKEN) < 2 or len(terminal.shown.split(TAKEN)[2]) < 20:
        terminal.read()  # until the answer has begun
    terminal.process.send_signal(signal.SIGINT)
    terminal.until_ready(3)
    terminal.type(f"/save {path}\r")
    terminal.until_ready(4)
    terminal.type("/quit\r")
    code, err = terminal.ended()
    assert code == 0
    assert b"Traceback" not in err
    messages = json.loads(path.read_text("utf-8"))["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant"]
    whole = "".join(engine.generate(template.encode(messages[:1]), seed=1, max_tokens=400))
    assert messages[0]["content"] == "Hello"
    assert whole.startswith(messages[1]["content"])
    assert len(messages[1]["content"]) < len(whole)


def test_at_a_terminal_ctrl_d_ends_the_program():
    terminal = Terminal()
    terminal.until_ready(1)
    terminal.type("\x04")
    assert terminal.ended()[0] == 0
