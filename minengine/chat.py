"""From a conversation to token ids, by the template that comes with the model.

Owns: which template a model has, what is a message, the process that renders. Must not know: Jinja
(``render.py``), the network, HTTP. Read before: ``tokenizer.py``; then
``families.py`` and ``render.py``.

A template turns messages into one text with the model's own markers, such as "<|im_end|>". These
must become control tokens, and what looks like one inside a message must not: else a message could
end itself and go on as the system. ``render.py`` says of each part of the text whose it is, and
``Tokenizer.encode_parts`` finds control tokens in the template's parts alone. Some vocabularies
call their markers user-defined; those that the template has in its words are its alone too. The
text is segmented as a whole: the ids are those of the joined text with ``parse_special``, but where
a message has the text of such a token, or a piece of one that its neighbours complete.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minengine.errors import RequestError
from minengine.families import FAMILIES, Family
from minengine.tokenizer import CONTROL, USER_DEFINED, Tokenizer, utf8

KEY = "tokenizer.chat_template"
CPU_S = 2.0  # of processor time for one text; a conversation of 100 messages takes 1 ms


class ChatTemplate:
    """How one model wants conversations written.

    The file's own template (``tokenizer.chat_template``, or ``tokenizer.chat_template.NAME`` for
    ``name``); where it has none, that of the first of ``FAMILIES`` whose markers are in the
    vocabulary, which for a model without markers is plain lines. ``origin`` says which it is.
    Errors: ``RequestError`` names a template that is not there.
    """

    def __init__(
        self, metadata: Mapping[str, Any], tokenizer: Tokenizer, *, name: str | None = None
    ) -> None:
        self.tokenizer, self.named = tokenizer, templates_of(metadata)
        self.stops: tuple[str, ...] = ()
        self.markers: tuple[str, ...] = ()
        if name is not None and name not in self.named:
            have = ", ".join(n or "the default" for n in self.named) or "none"
            raise RequestError(f"chat template {name!r}: the file has {have}")
        if name is not None or "" in self.named:
            self.text = self.named[name or ""]
            self.origin = f"the file's template {name or ''}".strip()
        else:
            family = family_of(tokenizer)
            self.text, self.stops, self.markers = family.template, family.stops, family.markers
            self.origin = f"the file has no template; {family.name}, by its vocabulary"
        self._renderer = Renderer()

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        /,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> list[tuple[str, bool]]:
        """The text of a conversation in parts: (text, whether a message or tool gave it).

        ``messages`` are ``{"role": ..., "content": ...}``, oldest first; a content may be a list of
        parts ``{"type": "text", "text": ...}``. ``add_generation_prompt`` ends the text where the
        answer begins. ``variables`` are for the template: ``enable_thinking=False`` is one that
        many know. Errors: ``RequestError`` for what is no message, and where the template fails,
        refuses the conversation or takes too much.
        """
        given = {
            "messages": [checked_message(m, f"messages[{n}]") for n, m in enumerate(messages)],
            "tools": tools or None,
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
        }
        return self._renderer.render(self._chosen(tools), self._own(), variables | given)

    def encode(
        self,
        messages: Sequence[Mapping[str, Any]],
        /,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> list[int]:
        """Token ids of a conversation, beginning with BOS once where the model wants it; options
        and errors are those of ``render``.
        """
        return self.ids(self.render(messages, tools=tools, **options), tools=tools)

    def ids(
        self,
        parts: Sequence[tuple[str, bool]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[int]:
        """Token ids of what ``render`` gave, for the same tools."""
        tokenizer = self.tokenizer
        ids = tokenizer.encode_parts(parts, self._markers(self._chosen(tools)))
        # some templates write BOS, some leave it to the tokenizer
        if tokenizer.add_bos and ids[:1] != [tokenizer.bos]:
            ids.insert(0, tokenizer.bos)
        return ids

    def _chosen(self, tools: Any) -> str:
        """The template for a conversation with tools or without."""
        return self.named.get("tool_use", self.text) if tools else self.text

    def _markers(self, template: str) -> frozenset[int]:
        """User-defined tokens, white space aside, that the template has in its words."""
        words, tokenizer = utf8(" ".join((template, *self.markers))), self.tokenizer
        return frozenset(
            i
            for i in tokenizer.special
            if tokenizer.types[i] == USER_DEFINED
            and tokenizer.texts[i] in words
            and not tokenizer.texts[i].isspace()
        )

    def _own(self) -> dict[str, str]:
        """The texts of special tokens, under the names that templates use."""
        own = {}
        for name in ("bos", "eos"):
            token = getattr(self.tokenizer, name)
            text = b"" if token is None else self.tokenizer.texts[token]
            own[f"{name}_token"] = text.decode("utf-8", "replace")
        return own

    def close(self) -> None:
        """End the process that renders; it starts again when it is needed."""
        self._renderer.close()


def templates_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The templates of a file by name; "" is the default one."""
    found = {}
    for key, value in metadata.items():
        if isinstance(value, str) and (key == KEY or key.startswith(KEY + ".")):
            found[key.removeprefix(KEY).removeprefix(".")] = value
    return found


def family_of(tokenizer: Tokenizer) -> Family:
    """The first row of ``FAMILIES`` that a vocabulary has the markers of; the last has none."""
    return next(
        row
        for row in FAMILIES
        if row.model in ("", tokenizer.model)
        and all(is_special(marker, tokenizer) for marker in row.markers)
    )


def is_special(marker: str, tokenizer: Tokenizer) -> bool:
    i = tokenizer.ids.get(marker.encode())
    return i is not None and tokenizer.types[i] in (CONTROL, USER_DEFINED)


def checked_message(message: Any, name: str) -> dict[str, Any]:
    """A message with its content as one text. Errors: ``RequestError`` says what was wanted."""
    if not isinstance(message, Mapping):
        raise RequestError(f"{name}: got {shown(message)}, want an object with role and content")
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or not role:
        raise RequestError(f"{name}.role: got {shown(role)}, want a text such as user")
    if isinstance(content, Sequence) and not isinstance(content, str):
        content = "\n".join(text_of(p, f"{name}.content[{n}]") for n, p in enumerate(content))
    if content is None and not message.get("tool_calls"):
        raise RequestError(f"{name}.content: missing, want a text")
    if not isinstance(content, (str, type(None))):
        raise RequestError(f"{name}.content: got {shown(content)}, want a text or a list of parts")
    return {**message, "content": content}


def text_of(part: Any, name: str) -> str:
    """The text of one part of a content: this engine reads nothing but text."""
    if not isinstance(part, Mapping) or part.get("type") != "text":
        got = part.get("type") if isinstance(part, Mapping) else part
        raise RequestError(f"{name}.type: got {shown(got)}, want text: images are not read")
    if not isinstance(part.get("text"), str):
        raise RequestError(f"{name}.text: got {shown(part.get('text'))}, want a text")
    return part["text"]


def shown(value: Any) -> str:
    """A value in an error message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


class Renderer:
    """The process of ``render.py``, started when it is first needed and again after it was ended.

    One text at a time: threads wait for each other.
    """

    def __init__(self, cpu_s: float = CPU_S) -> None:
        self.cpu_s = cpu_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None

    def render(
        self, template: str, own: Mapping[str, Any], given: Mapping[str, Any]
    ) -> list[tuple[str, bool]]:
        """A template's text in parts, see ``render.render``. Errors: ``RequestError`` says why
        there is none.
        """
        try:
            line = json.dumps({"template": template, "own": own, "given": given})
        except (TypeError, ValueError) as e:
            raise RequestError(f"messages: {e}, want what JSON can hold") from None
        with self._lock:
            process = self._running()
            try:
                process.stdin.write(line.encode() + b"\n")
                process.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended, and the line it did not write says so
            answer = process.stdout.readline()
            if not answer.endswith(b"\n"):
                self._stop()
                why = f"its process ended with {process.returncode}"
                if process.returncode == -signal.SIGPROF:
                    why = f"more than {self.cpu_s:g} s of processor time"
                raise RequestError(f"chat template: {why}")
        found = json.loads(answer)
        if "error" in found:
            raise RequestError(f"chat template: {found['error']}")
        return [(text, given) for text, given in found["parts"]]

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _running(self) -> subprocess.Popen:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            script = Path(__file__).with_name("render.py")
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(script), str(self.cpu_s)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C at the terminal is not for it
                # what is loaded before it (ASan, a profiler) may want more memory than it has
                env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"},
            )  # fmt: skip
            weakref.finalize(self, end, self._process)
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            end(self._process)
        self._process = None


def end(process: subprocess.Popen) -> None:
    """End a process and take its last word."""
    process.kill()
    process.communicate()
