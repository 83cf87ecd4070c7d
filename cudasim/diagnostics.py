"""What a C++ compiler says about a kernel, in the words and places of CUDA's front end.

Owns: parsing gcc's and clang's messages, and the table that turns their wording into nvcc's. A
message about one of our headers is moved to the line of the source that led there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cudasim.errors import CompileException

PLACE = re.compile(r"kernel\.cu:(\d+):(?:(\d+)[:,])?")
# (what gcc or clang says, what nvcc says); the first that matches counts.
WORDING = [
    (r"'?‘?(?P<n>[\w:]+)’?'? was not declared in this scope.*", 'identifier "{n}" is undefined'),
    (r"use of undeclared identifier '(?P<n>\w+)'.*", 'identifier "{n}" is undefined'),
    (r"‘(?P<n>[\w:]+)’ does not name a type.*", 'identifier "{n}" is undefined'),
    (r"unknown type name '(?P<n>\w+)'.*", 'identifier "{n}" is undefined'),
    (r"expected ‘(?P<n>[^’]+)’ before .*", 'expected a "{n}"'),
    (r"expected '(?P<n>[^']+)'.*", 'expected a "{n}"'),
    (r"expected ‘,’ or ‘;’ before .*", 'expected a ";"'),
    (r"expected ‘;’ at end of .*", 'expected a ";"'),
    (r"expected primary-expression before .*", "expected an expression"),
    (r"expected expression", "expected an expression"),
    (r"assignment of read-only .*", "expression must be a modifiable lvalue"),
    (r"(increment|decrement) of read-only .*", "expression must be a modifiable lvalue"),
    (r"cannot assign to .*const.*", "expression must be a modifiable lvalue"),
    (r"lvalue required as .*", "expression must be a modifiable lvalue"),
    (r"no matching function for call to ‘(?P<n>[\w:]+)\b.*",
     'no instance of overloaded function "{n}" matches the argument list'),
    (r"no matching function for call to '(?P<n>\w+)'",
     'no instance of overloaded function "{n}" matches the argument list'),
    (r"call of overloaded ‘(?P<n>\w+)\b.*is ambiguous",
     'more than one instance of overloaded function "{n}" matches the argument list'),
    (r"too few arguments to function.*", "too few arguments in function call"),
    (r"too many arguments to function.*", "too many arguments in function call"),
    (r"invalid conversion from ‘(?P<a>[^’]+)’(?: \{aka [^}]+\})? to ‘(?P<b>[^’]+)’.*",
     'a value of type "{a}" cannot be used to initialize an entity of type "{b}"'),
    (r"cannot convert ‘(?P<a>[^’]+)’(?: \{aka [^}]+\})? to ‘(?P<b>[^’]+)’.*",
     'a value of type "{a}" cannot be used to initialize an entity of type "{b}"'),
    (r"cannot initialize .* of type '(?P<b>[^']+)' with an? [lrx]?value of type '(?P<a>[^']+)'.*",
     'a value of type "{a}" cannot be used to initialize an entity of type "{b}"'),
    (r"‘?(?P<a>struct|class)? ?(?P<b>[\w:]+)’ has no member named ‘(?P<n>\w+)’.*",
     'class "{b}" has no member "{n}"'),
    (r"redeclaration of ‘(?:[^’]*\W)?(?P<n>\w+)’",
     '"{n}" has already been declared in the current scope'),
    (r"redefinition of ‘(?:[^’]*\W)?(?P<n>\w+)’",
     '"{n}" has already been declared in the current scope'),
    (r"expected ‘}’ at end of input", 'expected a "}}"'),
    (r"expected declaration before ‘}’ token", "expected a declaration"),
    (r"attempt to use poisoned \"(?P<n>\w+)\"", '"{n}" is not allowed in simulated device code'),
    (r"invalid operands of types .* to binary ‘operator(?P<n>[^’]+)’.*",
     'no operator "{n}" matches these operands'),
    (r"no match for ‘operator(?P<n>[^’]+)’.*", 'no operator "{n}" matches these operands'),
    (r"assignment of member .* in read-only object", "expression must be a modifiable lvalue"),
    (r"request for member .*, which is of .* type ‘(?P<a>[^’]+)’.*",
     'expression must have class type but it has type "{a}"'),
    (r"(ISO C\+\+ forbids )?variable length arrays? .*", "expression must have a constant value"),
    (r"storage size of .* isn.t constant", "expression must have a constant value"),
    (r"‘(?P<n>\w+)’ is not a member of ‘(?P<a>[\w:]+)’.*", 'namespace "{a}" has no member "{n}"'),
    (r"no (?:member|template) named '(?P<n>\w+)' in namespace '(?P<a>[\w:]+)'.*",
     'namespace "{a}" has no member "{n}"'),
    (r"return-statement with .*", "return value type does not match the function type"),
    (r"void function .* should not return a value",
     "return value type does not match the function type"),
    (r"control reaches end .*|no return statement .*", "missing return statement"),
    (r"member reference base type '(?P<a>[^']+)' is not a structure or union",
     'expression must have class type but it has type "{a}"'),
    (r"redefinition of '(?P<n>\w+)'.*", '"{n}" has already been declared in the current scope'),
    # clang does not name these: ``named`` adds what it points at
    (r"invalid operands to binary expression .* at (?P<n>\W+)",
     'no operator "{n}" matches these operands'),
    (r"attempt to use a poisoned identifier at (?P<n>\w+)",
     '"{n}" is not allowed in simulated device code'),
]  # fmt: skip


@dataclass(frozen=True)
class Diagnostic:
    """One message about the source. ``column`` is 0 where the compiler gives none."""

    kind: str
    line: int
    column: int
    text: str


def explain(output: str, text: str) -> CompileException:
    """The exception for a failed compilation of ``text``, with every error in its own place."""
    found = [d for d in parse(output) if d.kind == "error"]
    if not found:
        return CompileException(f"the compiler failed:\n{output[-2000:]}")
    lines = text.splitlines()
    shown = []
    for d in found:
        where = f"kernel.cu({d.line},{d.column})" if d.line else "kernel.cu"
        shown.append(f"{where}: error: {d.text}")
        if 0 < d.line <= len(lines):
            shown.append(f"    {lines[d.line - 1]}")
            if d.column:
                lead = re.sub(r"[^\t]", " ", lines[d.line - 1][: d.column - 1])
                shown.append(f"    {lead}^")
    n = len(found)
    shown.append(f"{n} error{'s' if n > 1 else ''} detected in the compilation of kernel.cu")
    return CompileException("\n".join(shown), tuple((d.line, d.column, d.text) for d in found))


def parse(output: str) -> list[Diagnostic]:
    """The messages of gcc or clang, each at a place in the source, none twice."""
    found: dict[tuple[int, int | str], Diagnostic] = {}
    pending: tuple[int, int] | None = None  # "required from here", said before the message
    lines = output.splitlines()
    for i, line in enumerate(lines):
        m = re.match(
            r"([^:\s][^:]*):(?:(\d+):(?:(\d+):)?)?\s+(fatal error|error|warning): (.*)", line
        )
        if not m:
            place = PLACE.search(line)
            if place and ("required from" in line or "from kernel.cu" in line):
                pending = (int(place.group(1)), int(place.group(2) or 0))
            continue
        file, row, column, kind, message = m.groups()
        kind = "error" if kind == "fatal error" else kind
        if file.endswith("kernel.cu"):
            at = (int(row), int(column or 0))
        else:
            at = pending or following(lines[i + 1 :]) or (0, 0)
        pending = None
        text = reword(named(message, lines[i + 1 :])) if at[0] else f"{message} ({file}:{row})"
        d = Diagnostic(kind, *at, text)
        found.setdefault((d.line, d.column) if d.column else (d.line, d.text), d)
    return list(found.values())


def named(message: str, lines: list[str]) -> str:
    """A message of clang with what it leaves to the lines below it.

    A sign or a name that a caret points at, also where a macro has made it; how many arguments the
    only function of a name wants.
    """
    errors = [n for n, line in enumerate(lines) if re.search(r": (fatal )?error: ", line)]
    lines = lines[: errors[0]] if errors else lines
    if message.startswith("no matching function"):
        notes = [line for line in lines if "note: candidate" in line]
        counts = re.search(r"requires (\d+) arguments?, but (\d+) w", notes[0]) if notes else None
        if len(notes) == 1 and counts:
            few = int(counts[2]) < int(counts[1])
            return f"too {'few' if few else 'many'} arguments to function"
    if message.startswith(("invalid operands to binary", "attempt to use a poisoned")):
        made = [n for n, line in enumerate(lines) if line.startswith("<scratch space>")]
        first = made[-1] + 1 if made else 0
        if len(lines) > first + 1 and "^" in lines[first + 1]:
            pointed = re.match(r"\w+|[^\w\s]+", lines[first][lines[first + 1].index("^") :])
            return f"{message} at {pointed[0]}" if pointed else message
    return message


def following(lines: list[str]) -> tuple[int, int] | None:
    """The first place in the source among the notes after a message."""
    for line in lines:
        if re.search(r": (fatal )?error: ", line):
            return None
        place = PLACE.search(line)
        if place:
            return int(place.group(1)), int(place.group(2) or 0)
    return None


def reword(message: str) -> str:
    """A message of gcc or clang in nvcc's words, where the table has it, in its own otherwise."""
    message = re.sub(r" \[-[-\w=+]+\]$", "", message)
    for pattern, words in WORDING:
        m = re.match(pattern, message)
        if m:
            message = words.format(**m.groupdict())
            break
    return re.sub(r"(\w)(\*+)", r"\1 \2", re.sub(r"‘([^’]*)’", r'"\1"', message))
