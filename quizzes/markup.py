"""The small markdown of questions: paragraphs, fenced code, lists, `code` and **strong**.

Owns: what marks mean and which characters may reach a terminal. Must not know: rich,
prompt_toolkit, questions. Read before: nothing. A text never becomes markup of a terminal library;
it becomes (style, text) pairs.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape

Span = tuple[str, str]
MARKS = re.compile(r"(?P<code>`+)(?P<inner>.+?)(?P=code)|\*\*(?P<strong>\S(?:.*?\S)?)\*\*", re.S)


@dataclass(frozen=True)
class Block:
    """A paragraph ("text"), a list item ("item") or fenced code ("code"), with its language."""

    kind: str
    text: str
    language: str = ""


def printable(text: str) -> str:
    """``text`` with control characters made visible, newline kept: no escape reaches a terminal."""
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else f"\\x{ord(c):02x}"
        for c in text.replace("\t", "    ")
    )


def blocks(text: str) -> list[Block]:
    """The blocks of a text; lines of a paragraph are joined, an unclosed fence ends at the end."""
    found: list[Block] = []
    lines = iter(printable(text).strip("\n").splitlines())
    paragraph: list[str] = []

    def close() -> None:
        if paragraph:
            kind = "item" if paragraph[0].startswith("- ") else "text"
            joined = " ".join(part.strip() for part in paragraph)
            found.append(Block(kind, joined.removeprefix("- ")))
            paragraph.clear()

    for line in lines:
        if line.startswith("```"):
            close()
            code = []
            for inner in lines:
                if inner.startswith("```"):
                    break
                code.append(inner)
            found.append(Block("code", "\n".join(code), line[3:].strip()))
        elif not line.strip():
            close()
        else:
            if line.startswith("- "):
                close()
            paragraph.append(line)
    close()
    return found


def spans(text: str) -> list[Span]:
    """A line as (style, text) pairs, style one of "", "code", "strong"."""
    out: list[Span] = []
    at = 0
    for mark in MARKS.finditer(text):
        if mark.start() > at:
            out.append(("", text[at : mark.start()]))
        style = "code" if mark["code"] else "strong"
        inner = mark["inner"] or mark["strong"]
        out.append((style, inner.strip(" ") or inner if style == "code" else inner))
        at = mark.end()
    if at < len(text):
        out.append(("", text[at:]))
    return out


def plain(text: str) -> str:
    """The text without its marks, on one line."""
    return " ".join("".join(part for _, part in spans(b.text)) for b in blocks(text))


def html(text: str) -> str:
    """The text as HTML that needs no style sheet; nothing in it is markup but what we write."""
    out: list[str] = []
    for block in blocks(text):
        if block.kind == "code":
            out.append(f"<pre><code>{escape(block.text, quote=False)}</code></pre>")
        elif block.kind == "item":
            after = out and out[-1].endswith("</ul>")
            begun = out.pop().removesuffix("</ul>") if after else "<ul>"
            out.append(f"{begun}<li>{inline_html(block.text)}</li></ul>")
        else:
            out.append(f"<p>{inline_html(block.text)}</p>")
    return "".join(out)


def inline_html(text: str) -> str:
    """A line as HTML without a block around it: ``code`` and ``strong`` are its only elements."""
    return "".join(
        f"<{style}>{escape(part, quote=False)}</{style}>" if style else escape(part, quote=False)
        for style, part in spans(printable(text).strip())
    )
