"""HTML pages: templates, escaping, and the policy that forbids a page to run or load anything.

Every string that reaches a page is made printable (a terminal's escape codes and characters that
turn text around become visible signs) and then escaped; only Markup made here is not. Owns:
``templates/``, escaping, the Content-Security-Policy, writing a file whole or not at all.
Must not know: records, marks, notebooks. Read before: errors.py.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import CourseError

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
# a spreadsheet runs a cell that begins with one of these, their full-width forms too
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
CLIP = 4000  # characters of one message shown on a page; records keep all
STAMP = "UNSANDBOXED"
WITHOUT = ("none", "")  # names of the sandbox in records that were made without one


def printable(text: str) -> str:
    """``text`` with everything but newline, tab and what can be seen made visible.

    ESC becomes ``<U+001B>``, an override of the writing direction ``<U+202E>``, a lone surrogate
    U+FFFD; so neither a browser nor a terminal acts on it.
    """
    return UNSEEN.sub(_sign, text)


def clip(text: str, most: int = CLIP) -> str:
    """The first ``most`` characters, and how many there are more."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n… and {len(text) - most} more characters"


def cell(value: Any) -> Any:
    """A cell of a table that no spreadsheet takes for a formula; numbers stay numbers.

    A text that begins with one of FORMULA, blanks before it or not, gets a ' in front.
    """
    if not isinstance(value, str):
        return "" if value is None else value
    text = printable(value).replace("\n", " ")
    risky = value.startswith(FORMULA) or text.lstrip().startswith(FORMULA)
    return f"'{text}" if risky else text


def unsandboxed(record: Any) -> bool:
    """Was this record made without a sandbox?"""
    return record["sandbox"] in WITHOUT


def render(template: str, **values: Any) -> str:
    """A template of ours filled with ``values``, every string of them made printable, escaped."""
    return _environment().get_template(template).render(**values)


def page(template: str, style: str, *, inline_style: bool = False, **values: Any) -> str:
    """A whole page with the style sheet ``style`` of ours inside it and its policy.

    Nothing may be run, loaded, framed or sent; the one style allowed is known by its hash, or any
    with ``inline_style`` (charts carry theirs in attributes).
    """
    from markupsafe import Markup

    sheet = (TEMPLATES / style).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    allowed = "'unsafe-inline'" if inline_style else f"'sha256-{digest}'"
    policy = f"default-src 'none'; style-src {allowed}; base-uri 'none'; form-action 'none'"
    return render(template, sheet=Markup(sheet), policy=policy, **values)


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write a file in one step: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.chmod(mode)
    part.replace(path)
    return path


def small(path: Path, most: int = 200) -> str | None:
    """The text of a regular file of a student's, without white space around it; None for a file
    that is not there, a link, a pipe, longer than ``most`` bytes, or not one printable line.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            text = file.read(most + 1).decode("utf-8").strip()
    except (OSError, ValueError):
        return None
    return text if text.isprintable() and len(text) <= most else None


def one_name(name: str) -> str:
    """``name`` if it is the name of one folder; CourseError where it would lead elsewhere."""
    if not name or name in (".", "..") or any(c in name for c in "/\\\0"):
        raise CourseError(f"{name!r} is no name for a folder")
    return name


# Controls (C0 but tab and newline, DEL, C1), marks of direction, zero-width characters, separators
# of lines and paragraphs, the byte-order mark, surrogates, tags.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def _sign(match: re.Match) -> str:
    code = ord(match[0])
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"<U+{code:04X}>"


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise CourseError("pages need jinja2: pip install 'minengine[grading]'") from None

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["number"] = lambda value: f"{value:.10g}"
    environment.filters["clip"] = clip
    return environment
