"""A lab's report: the notebook's text, charts and tables, and the reader's words, on one HTML page.

Owns: the page. Must not know: any lab, how cells are run. It loads nothing and runs nothing, so it
opens anywhere, and what the reader wrote is escaped. Read before: ``running.py``.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import AutograderError
from autograder.handout import Handout
from quizzes import markup

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--line:#d0d7de;--page:#fff;--box:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--page:#0d1117;
--box:#151b23}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:0}
main{max-width:46rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.7rem;line-height:1.25}h2{margin-top:2.2rem;border-bottom:1px solid var(--line)}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:left}
.numbers th,.numbers td{text-align:right}
.numbers th:first-child,.numbers td:first-child{text-align:left}
pre{background:var(--box);padding:.7rem .9rem;overflow-x:auto;border-radius:6px;font-size:.86em;
line-height:1.45;white-space:pre-wrap;overflow-wrap:anywhere}
code{background:var(--box);padding:.05em .3em;border-radius:4px}pre code{padding:0}
.drawing{overflow-x:auto;margin:1rem 0}.drawing svg{max-width:100%;height:auto}
details{margin:.6rem 0;color:var(--soft)}summary{cursor:pointer}
.answer{border-left:4px solid #4c82d1;padding:.2rem 1rem;margin:1rem 0;background:var(--box)}
.error,.check{border-left:4px solid #d8574e;padding:.3rem .8rem;background:var(--box)}
.about{color:var(--soft);font-size:.9em}
"""


@dataclass(frozen=True)
class Page:
    """A finished report; ``errors`` are cells that failed, ``open`` checks that did not pass,
    ``blank`` answers that are not written. ``measured`` is the text of that task.
    """

    html: str
    errors: tuple[str, ...]
    open: tuple[str, ...]
    blank: tuple[str, ...]
    measured: str
    seconds: float

    @property
    def whole(self) -> bool:
        return not (self.errors or self.open or self.blank)


def make(
    handout: Handout, sources: Mapping[str, str], *, name: str = "", timeout_s: float = 900
) -> Page:
    """Run a lab with these sources in its holes and words in its answers, and write its report.

    AutograderError where the run does not end or ends badly.
    """
    code = [c for c in handout.cells if c.kind in ("code", "hole", "check")]
    cells = [{"id": c.id, "source": sources.get(c.name, c.source)} for c in code]
    cells = [
        cell if c.kind == "hole" else {"id": c.id, "source": c.source}
        for c, cell in zip(code, cells, strict=True)
    ]
    found = _run(cells, timeout_s)
    outputs = dict(zip((c.id for c in code), found["outputs"], strict=True))
    kinds = [(c, o) for c in code for o in outputs[c.id]]
    blank = [
        a for a, stub in handout.answers.items() if sources.get(a, stub).split() == stub.split()
    ]
    body = "".join(_cell(c, sources, outputs) for c in handout.cells)
    return Page(
        _page(handout.title, name, found["seconds"], body),
        tuple(f"{c.name or c.id}: {o['data']}" for c, o in kinds if o["kind"] == "error"),
        tuple(o["data"] for _, o in kinds if o["kind"] == "check"),
        tuple(blank),
        found["measured"],
        found["seconds"],
    )


def _run(cells: Sequence[Mapping[str, str]], timeout_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("cells.json", "out.json")]
        paths[0].write_text(json.dumps(cells), encoding="utf-8")
        command = [sys.executable, "-m", "course.lab.running", *map(str, paths)]
        try:
            ran = subprocess.run(command, timeout=timeout_s, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise AutograderError(
                f"the notebook ran for more than {timeout_s:g} s and was stopped"
            ) from None
        if ran.returncode or not paths[1].exists():
            raise AutograderError(f"the notebook's process ended with {ran.returncode}")
        return json.loads(paths[1].read_text(encoding="utf-8"))


def _cell(cell: Any, sources: Mapping[str, str], outputs: Mapping[str, list]) -> str:
    if cell.kind == "markdown":
        return "".join(prose(cell.source))
    if cell.kind == "answer":
        words = sources.get(cell.name, cell.source)
        words = "(no answer yet)" if words.split() == cell.source.split() else words
        return f'<div class="answer">{"".join(prose(words))}</div>'
    source = sources.get(cell.name, cell.source) if cell.kind == "hole" else cell.source
    shown = "".join(_output(o) for o in outputs[cell.id])
    if cell.kind == "check":
        return shown
    label = f"your code: {cell.name}" if cell.kind == "hole" else "code"
    text = html.escape(source)
    return f"<details><summary>{label}</summary><pre>{text}</pre></details>{shown}"


def _output(output: Mapping[str, str]) -> str:
    kind, data = output["kind"], output["data"]
    if kind == "html":
        return data
    if kind == "text":
        return f"<pre>{html.escape(markup.printable(data.rstrip()))}</pre>"
    return f'<p class="{kind}">{html.escape(markup.printable(data))}</p>'


def prose(text: str) -> Iterator[str]:
    """Markdown of a lab or an answer as HTML: headings, tables, and what quizzes' markup knows.

    Nothing in it is markup but what is written here.
    """
    text = re.sub(r"^(\d+)\. ", r"- \1. ", text, flags=re.M)
    for part in re.split(r"((?:^#{1,4} .*$)|(?:^\|.*$\n?)+)", text, flags=re.M):
        if heading := re.match(r"(#{1,4}) (.*)", part):
            level = len(heading[1])
            yield f"<h{level}>{emphasised(markup.inline_html(heading[2]))}</h{level}>"
        elif part.startswith("|"):
            yield _table(part)
        elif part.strip():
            yield emphasised(markup.html(part))


def emphasised(made: str) -> str:
    """HTML of ours with *words* between single stars in italics, code left alone."""
    parts = re.split(r"(<(?:code|pre)>.*?</(?:code|pre)>)", made, flags=re.S)
    italics = (
        re.sub(r"(?<![\w*])\*([^\s*<>][^*<>]*)\*(?![\w*])", r"<em>\1</em>", p) for p in parts
    )
    return "".join(
        p if p.startswith(("<code", "<pre")) else i for p, i in zip(parts, italics, strict=True)
    )


def _table(text: str) -> str:
    rows = [[c.strip() for c in line.strip().strip("|").split("|")] for line in text.splitlines()]
    rows = [row for row in rows if any(not re.fullmatch(r":?-+:?", c) for c in row)]
    parts = []
    for n, row in enumerate(rows):
        tag = "th" if n == 0 else "td"
        cells = "".join(f"<{tag}>{emphasised(markup.inline_html(c))}</{tag}>" for c in row)
        parts.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(parts)}</table>"


def _page(title: str, name: str, seconds: float, body: str) -> str:
    by = f"{html.escape(markup.printable(name))}; " if name else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><main>{body}"
        f'<p class="about">{by}run from top to bottom in {seconds:.1f} s.</p>'
        "</main></body></html>\n"
    )
