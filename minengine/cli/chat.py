"""The command ``chat``: a conversation at the terminal, or with a program that sends lines.

Owns: commands, the transcript, what is dropped when the context is full. Must not know: templates
(``minengine/chat.py``), the network.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from minengine.chat import ChatTemplate
from minengine.cli.app import ModelOption, command
from minengine.cli.options import answer_of, answer_options, engine_options, opened
from minengine.engine import Engine, packaged_model
from minengine.errors import RequestError
from minengine.grammar import Grammar
from minengine.stops import Stops

COMMANDS = {
    "/reset": "forget the conversation, but for the system message",
    "/system TEXT": "say how to answer, and begin anew; without TEXT take that back",
    "/save FILE": "write the conversation as JSON",
    "/help": "these lines",
    "/quit": "end, as Ctrl-D does; Ctrl-C ends an answer",
}
# what a terminal would obey, were it to come out of a model
CONTROLS = {i: "\ufffd" for i in (*range(32), *range(0x7F, 0xA0)) if chr(i) not in "\n\t"}


class Conversation:
    """Messages and the options of answers, over one engine.

    What was said is in the engine's cache: a turn computes what is new alone.
    """

    def __init__(
        self, engine: Engine, template: ChatTemplate, say: Callable[[str], None], **options: Any
    ) -> None:
        self.engine, self.template, self.say, self.options = engine, template, say, options
        self.messages: list[dict[str, str]] = []

    def system(self, text: str) -> None:
        """Begin anew, with a system message or without."""
        self.messages = [{"role": "system", "content": text}] if text else []

    def reset(self) -> None:
        self.messages = [m for m in self.messages if m["role"] == "system"]

    def answer(self, text: str) -> Iterator[str | dict[str, Any]]:
        """Pieces of the answer to a message, and at last what can be said of it.

        Ctrl-C ends the answer; what was said of it stays. Errors: ``RequestError`` for a message
        that no dropping makes fit; the conversation is as it was then.
        """
        before = list(self.messages)
        self.messages.append({"role": "user", "content": text})
        try:
            ids = self._fitting()
            generation = self.engine.generate(ids, **self.options)
        except RequestError:
            self.messages = before
            raise
        said, stops, sequence = "", Stops(self.template.stops), generation.sequence
        with interrupted() as is_interrupted:
            for piece in generation:
                if certain := stops.push(piece):
                    said += certain
                    yield certain
                if stops.found is not None or is_interrupted():
                    break
            generation.close()
        if rest := stops.flush():
            said += rest
            yield rest
        self.messages.append({"role": "assistant", "content": said})
        reason = "stop" if stops.found is not None else sequence.reason
        yield {
            "role": "assistant", "content": said,
            "reason": "interrupted" if reason == "closed" else reason,
            "n_prompt": sequence.n_prompt, "n_cached": sequence.n_found,
            "n_tokens": len(sequence.tokens) - sequence.n_prompt,
        }  # fmt: skip

    def _fitting(self) -> list[int]:
        """Token ids of the conversation, the oldest exchanges dropped until an answer fits too."""
        room = min(self.options["max_tokens"], self.engine.context // 4)
        n_dropped = 0
        while len(ids := self.template.encode(self.messages)) + room > self.engine.context:
            first = int(self.messages[0]["role"] == "system")
            n = 2 if len(self.messages) > first + 2 else 0  # the last message stays
            if not n:
                break
            del self.messages[first : first + n]
            n_dropped += n
        if n_dropped:
            self.say(
                f"the context of {self.engine.context} tokens is full:"
                f" the {n_dropped} oldest messages are dropped"
            )
        return ids


@contextlib.contextmanager
def interrupted() -> Iterator[Callable[[], bool]]:
    """Ctrl-C sets a flag instead of ending the program, so that no pass is torn; a second one
    ends it.
    """
    came: list[int] = []

    def note(sig: int, frame: Any) -> None:
        came.append(sig)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)


def lines(prompt: str) -> Iterator[str]:
    """What is typed, with history and editing at a terminal; otherwise one message a line."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        for raw in sys.stdin.buffer:
            yield raw.decode("utf-8", "replace").rstrip("\r\n")
        return
    from prompt_toolkit import PromptSession  # 0.1 s that other commands need not wait for

    session: PromptSession[str] = PromptSession()
    while True:
        try:
            yield session.prompt(prompt)
        except KeyboardInterrupt:
            continue  # what was typed is thrown away
        except EOFError:
            return


@command(
    "minengine chat --model gemma-3-270m-it.gguf",
    """minengine chat --grammar 'root ::= ("yes" | "no") "."'""",
    'minengine chat --system "Answer in verse." --temperature 0.5',
    "printf 'Hello\\n/save talk.json\\n' | minengine chat --json",
)
@engine_options("n_blocks", "n_batch", "queue", repack=True)
@answer_options
def chat(
    model: ModelOption = None,
    system: Annotated[str, typer.Option(help="The system message: how to answer.")] = "",
    template: Annotated[
        str | None, typer.Option(help="A template of the file by name; its default otherwise.")
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", "-n", min=1, help="The most tokens of an answer.")
    ] = 512,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same answers.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line for each answer.")
    ] = False,
    **options: Any,
) -> None:
    """Talk with a model. /help says what else can be typed."""

    def say(text: str) -> None:
        print(f"({text})", file=sys.stderr, flush=True)

    with opened(model, options) as engine, answer_of(options) as wishes:
        text = wishes["grammar"]
        wishes["grammar"] = None if text is None else Grammar(text)  # one for all answers
        chosen = ChatTemplate(engine.model.file.metadata, engine.tokenizer, name=template)
        talk = Conversation(engine, chosen, say, max_tokens=max_tokens, seed=seed, **wishes)
        talk.system(system)
        say(f"{model or packaged_model()}: {chosen.origin}; /help says what can be typed")
        for line in lines("> "):
            try:
                if line.startswith("/"):
                    if not obey(line, talk, say):
                        break
                elif line.strip():
                    answer(talk, line, as_json)
            except (RequestError, OSError) as e:
                say(str(e) if isinstance(e, RequestError) else f"{e.filename}: {e.strerror}")
        chosen.close()


def answer(talk: Conversation, text: str, as_json: bool) -> None:
    for piece in talk.answer(text):
        if isinstance(piece, dict):
            print(json.dumps(piece, ensure_ascii=False) if as_json else "", flush=True)
        elif not as_json:
            print(piece.translate(CONTROLS), end="", flush=True)


def obey(line: str, talk: Conversation, say: Callable[[str], None]) -> bool:
    """Do what a line that begins with / says; False ends the conversation."""
    name, _, rest = line.partition(" ")
    rest = rest.strip()
    if name == "/quit":
        return False
    if name == "/reset":
        talk.reset()
        say("forgotten")
    elif name == "/system":
        talk.system(rest)
        say("a new conversation" + (", with this system message" if rest else ""))
    elif name == "/save" and rest:
        found = {"template": talk.template.origin, "messages": talk.messages}
        Path(rest).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
        say(f"{len(talk.messages)} messages in {rest}")
    elif name == "/help":
        for usage, what in COMMANDS.items():
            say(f"{usage}: {what}")
    else:
        say(f"{name}: got {rest!r}, want one of {', '.join(COMMANDS)}")
    return True
