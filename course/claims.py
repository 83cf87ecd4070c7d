"""Every number that a reader is shown, and the code that computes it.

    python -m course.site --claims     prints all of them; the instructors' site has them as a page

Of lessons: the values of prose and what cells print, by the line of the lesson. Of quizzes: each
answer on one draw with the functions that decide it. Of the interview bank: each value with its
expression. Owns: what counts as a claim, which digits prose may have. Must not know: pages.
Read before: site/lessons.py, site/execution.py, quizzes/claims.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from course.site.execution import Cell
from course.site.lessons import EVAL, Staged
from quizzes import claims as quiz_claims
from quizzes.answers import ANSWERS
from quizzes.schema import Bank

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?%?")
LONGEST = 60
# Digits that prose may have: parts of names, and where something stands in a paper or on a page.
NAMES = (
    r"(?:Llama|GPT|Qwen|Gemma|Phi|Mistral|Granite|OLMo|SmolLM)[- ]?\d(?:\.\d)?",
    r"(?:FlashAttention|FlashDecoding|mirostat|Mirostat)[- ]\d",
    r"\b\d+(?:\.\d+)?[BM]\b(?= |,|\.|\)|:)",  # sizes in names: 7B, 70B
    r"\b(?:I?Q|TQ|MXFP)\d\w*",  # formats: Q8_0, IQ4_NL
    r"\b(?:B?F|FP|INT|int|uint|float|bfloat)\d{1,2}\b",
    r"\b(?:[Ll]essons?|[Ll]abs?|[Qq]uiz(?:zes)?|[Aa]ssignments?|[Mm]odules?)\s+\d(?:\.\d)?",
    r"\b(?:[Ss]ections?|[Ee]quations?|[Ff]igures?|[Tt]ables?|[Cc]hapters?|[Aa]ppendix"
    r"|[Aa]lgorithms?|[Pp]arts?|[Ss]teps?|[Pp]ages?)\s+[A-Z]?\d+(?:\.\d+)*"
    r"(?:(?:,| and| to|, and)\s+\d+(?:\.\d+)*)*",
    r"\barXiv:\d{4}\.\d{4,5}",
    r"\b(?:19|20)\d\d\b",  # years
    r"\b(?:L[123]|C\+\+\d\d|UTF-\d+|AVX2|AVX-?512|H2O|ISO \d+)\b",
    r"\b\w*[A-Za-z_]\w*\d\w*\b",  # identifiers
    # what is given and not claimed: T = 4, 2i + 1, E/2, j mod 2, position 0
    r"\b\d?[A-Za-z]\w?\s*(?:[=<>+*/-]|mod)\s*\d+[A-Z]?\b(?!\.\d)",
    r"\b\d(?:[a-z]\b|/[a-z]\b)",
    r"(?<=[A-Za-z]⌋ )/ \d|\bposition 0\b|(?<=/ )\d(?=⌋)",
)
ALLOWED = re.compile("|".join(NAMES))
# What is no prose: code, formulas, addresses, the numbers of a list.
NO_PROSE = (
    re.compile(r"`[^`]*`"),
    re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.S),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"<https?:[^>]*>|https?:\S+"),
    re.compile(r"^\s*\d+\.\s", re.M),
    re.compile(r"^:[\w-]+:.*$", re.M),  # options of directives
    re.compile(r"^#+ .*$", re.M),  # headings
    re.compile(
        r"^- [^*\n]*(?:\b(?:19|20)\d\d\b[^*\n]*)?, \*[^*\n]+\*[:,.].*$", re.M
    ),  # a reference
    re.compile(r"(?<!\*)\*[^*\n]+\*(?!\*)"),  # a title
)


@dataclass(frozen=True)
class Shown:
    """A number, or the numbers of one output: where, what is shown, what computes it."""

    where: str
    value: str
    code: str


def of_lesson(name: str, staged: Staged, cells: Iterable[Cell]) -> Iterator[Shown]:
    """The numbers of a lesson that ran: each value of its prose, each output that has a digit."""
    cells = list(cells)
    values = {k: v for cell in cells for k, v in cell.values().items()}
    for claim in staged.claims:
        yield Shown(f"{name}:{claim.line}", values[claim.key], claim.expression)
    for cell in cells:
        found = NUMBER.findall(cell.text())
        if found and "remove-cell" not in cell.tags and "remove-output" not in cell.tags:
            last = [line for line in cell.code.strip().splitlines() if line.strip()][-1].strip()
            yield Shown(f"{name}:{cell.line}", sample(found), f"cell ending in {shortened(last)}")


def sample(numbers: list[str]) -> str:
    """The first few of an output's numbers, and how many there are."""
    text = ", ".join(numbers[:6])
    return text if len(numbers) <= 6 else f"{text} and {len(numbers) - 6} more"


def shortened(code: str) -> str:
    return code if len(code) <= LONGEST else code[: LONGEST - 3] + "..."


def of_quizzes(banks: Mapping[str, Bank]) -> Iterator[Shown]:
    """Of each question the answer to one draw, and the functions that decide what is right."""
    for row in quiz_claims.of_banks(banks):
        names = row["computed_by"].split(", ")
        code = ", ".join(full_name(name) for name in names)
        yield Shown(f"{at(row['where'])} {row['id']}", row["value"], code)


def full_name(name: str) -> str:
    """A row of ANSWERS with its module; anything else as it is."""
    row = ANSWERS.get(name)
    return f"{row.__module__}.{row.__name__}" if row else name


def of_interviews() -> Iterator[Shown]:
    """Every value of every interview question."""
    for row in quiz_claims.of_interviews():
        where = f"{at(row['where'])} {row['id']}"
        yield Shown(where, f"{row['name']} = {row['value']}", row["computed_by"])


def at(where: str) -> str:
    """file:line from the root of the repository, out of "quiz 2.1, /x/quizzes/bank/2.1.yaml:9"."""
    return where.rpartition(", ")[2].removeprefix(f"{ROOT}/")


def typed(text: str) -> list[tuple[int, str]]:
    """(line, number) of each number in a lesson's prose that no code computes."""
    lines = prose(text)
    found = []
    for number, line in enumerate(lines, 1):
        rest = ALLOWED.sub(lambda m: " " * len(m[0]), line)
        found += [(number, m[0]) for m in re.finditer(r"\d[\d,.]*", rest)]
    return found


def prose(text: str) -> list[str]:
    """The lines of a lesson with everything blanked that is no prose."""
    lines = text.splitlines()
    fence, front = "", bool(lines) and lines[0] == "---"
    for i, line in enumerate(lines):
        opened = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
        if front:
            front = i == 0 or line != "---"
            lines[i] = ""
        elif fence:
            if opened and opened[1].startswith(fence) and not opened[2].strip():
                fence = ""
            lines[i] = ""
        elif opened:
            # a directive of backticks has prose in it, unless it is code
            if not re.match(r"\{(?!code|math)", opened[2]):
                fence = opened[1] if opened[2].strip() else ""
            lines[i] = ""
    kept = EVAL.sub(lambda m: " " * len(m[0]), "\n".join(lines))
    for pattern in NO_PROSE:
        kept = pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), kept)
    return kept.splitlines()


def page(rows: Iterable[Shown]) -> str:
    """All of it as a page: a table for each file."""
    by_file: dict[str, list[Shown]] = {}
    for row in rows:
        by_file.setdefault(row.where.partition(":")[0], []).append(row)
    total = sum(map(len, by_file.values()))
    out = [
        "# Where each number comes from",
        "",
        f"{total} entries, made by `python -m course.site --claims`.",
        "A lesson's line is that of its text; an output has one entry for all its numbers.",
        "Of a quiz question one draw is shown; another draw has other numbers, and the same code.",
    ]
    for file, group in by_file.items():
        out += ["", f"## {file}", "", "| line | shown | computed by |", "|---|---|---|"]
        for row in group:
            line = row.where.partition(":")[2]
            out.append(f"| {line} | {in_table(row.value)} | `` {in_table(row.code)} `` |")
    return "\n".join(out) + "\n"


def in_table(text: str) -> str:
    """One line without what a table's row would end at."""
    flat = " ".join(text.split()).replace("`", "'")
    return flat.replace("|", "\\|")
