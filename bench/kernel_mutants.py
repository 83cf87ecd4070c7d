"""Small changes to the text of a CUDA kernel, for mutants.py.

A kernel is text inside a hole, so nothing here parses C: the text is cut into tokens, and a change
puts other tokens in the place of some. Comments, strings and `#include` lines are left alone.

Owns: the tokens, the changes. Must not know: assignments, checks, keys. Read before: mutants.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# What is not a token of the program, then a number, a name, an operator of up to three characters.
TOKEN = re.compile(
    r"""(?P<skipped>\s+|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\#\s*include[^\n]*)
    |(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFuUlL]*)
    |(?P<name>[A-Za-z_]\w*(?:\.[xyz]\b)?)
    |(?P<sign><<=|>>=|[-+*/%&|^<>=!]=|\+\+|--|&&|\|\||<<|>>|->|.)""",
    re.DOTALL | re.VERBOSE,
)
TYPES = {"float", "int", "char", "void", "unsigned", "signed", "half", "__half", "size_t", "bool"}
COMPARISONS = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
}
OPERATIONS = {
    "+": ("-",),
    "-": ("+",),
    "*": ("+", "/"),
    "/": ("*", "%"),
    "%": ("/", "*"),
    "&": ("|",),
    "|": ("&",),
    "<<": (">>",),
    ">>": ("<<",),
    "+=": ("-=", "="),
    "-=": ("+=", "="),
    "*=": ("/=", "="),
    "/=": ("*=",),
    "++": ("--",),
}
BOTH = {"&&": ("||",), "||": ("&&",)}
BINARY = {"+", "-", "*", "&"}  # which may be a sign, a pointer or an address as well
NAMES = {  # one place, one direction, one function for another
    "threadIdx.x": ("threadIdx.y", "blockIdx.x"),
    "threadIdx.y": ("threadIdx.x", "blockIdx.y"),
    "blockIdx.x": ("blockIdx.y", "threadIdx.x"),
    "blockIdx.y": ("blockIdx.x", "threadIdx.y"),
    "blockDim.x": ("gridDim.x",),
    "gridDim.x": ("blockDim.x",),
    "fmaxf": ("fminf",),
    "fminf": ("fmaxf",),
    "max": ("min",),
    "min": ("max",),
    "__shfl_xor_sync": ("__shfl_down_sync", "__shfl_up_sync"),
    "__shfl_down_sync": ("__shfl_up_sync",),
    "rsqrtf": ("sqrtf",),
    "expf": ("exp2f",),
    "signed": ("unsigned",),
    "unsigned": ("signed",),
}
WHOLE_WARP, HALF_WARP = "0xffffffff", "0x0000ffff"
OPENED, CLOSED = {"(": 1, "[": 1}, {")": 1, "]": 1}
ENDS = {"&&", "||", "?", ":", ";", ",", "=", "return", "{", "}"}  # of an operand of a comparison


def is_kernel(text: object) -> bool:
    """Whether a constant of a hole is the source of a kernel."""
    return isinstance(text, str) and "__global__" in text


def changes(text: str) -> Iterator[tuple[str, str]]:
    """(kind, the text after one change), each change of each token once."""
    found = [m for m in TOKEN.finditer(text) if m.lastgroup != "skipped"]
    for i, match in enumerate(found):
        for kind, new in of_token(found, i):
            yield kind, text[: match.start()] + new + text[match.end() :]
    for kind, first, last, new in of_spans([m.group() for m in found]):
        yield kind, text[: found[first].start()] + new + text[found[last].end() :]


def of_token(found: list[re.Match], i: int) -> Iterator[tuple[str, str]]:
    """(kind, what else could stand there) of one token."""
    token, group = found[i].group(), found[i].lastgroup
    if group == "number":
        for step in (1, -1):
            yield "constant", stepped(token, step)
        if token.lower() == WHOLE_WARP:
            yield "mask", HALF_WARP
    elif group == "name":
        yield from (("name", other) for other in NAMES.get(token, ()))
    elif token in COMPARISONS:
        yield from (("comparison", other) for other in COMPARISONS[token])
    elif token in BOTH:
        yield from (("and-or", other) for other in BOTH[token])
    elif token in OPERATIONS and (token not in BINARY or is_binary(found, i)):
        yield from (("operation", other) for other in OPERATIONS[token])


def is_binary(found: list[re.Match], i: int) -> bool:
    """Whether a ``*`` or such stands between two values, not in a type or before one value."""
    before, after = found[i - 1], found[i + 1].group()
    value = before.lastgroup in ("name", "number") or before.group() in CLOSED
    return value and before.group() not in TYPES | {"return"} and after not in {")", ",", ">"}


def stepped(number: str, step: int) -> str:
    """The number one more or one less, written as it was: hexadecimal, whole or not."""
    if number[:2].lower() == "0x":
        return hex((int(number, 16) + step) % 2**32)
    digits = number.rstrip("fFuUlL")
    value = float(digits) if re.search(r"[.eE]", digits) else int(digits)
    return f"{value + step}{number[len(digits) :]}"


def of_spans(tokens: list[str]) -> Iterator[tuple[str, int, int, str]]:
    """(kind, first token, last token, what comes instead) of changes to more than one."""
    for i, token in enumerate(tokens):
        if token in COMPARISONS:
            yield "bound", edge(tokens, i, -1), edge(tokens, i, 1), "true"
        elif token == "if":
            yield "condition", i + 1, partner(tokens, i + 1), "(false)"
    start = body = tokens.index("{") + 1 if "{" in tokens else 0
    depth = 0
    for i in range(body, len(tokens)):
        depth += (tokens[i] == "(") - (tokens[i] == ")")
        head = tokens[start] in ("for", "if", "while")
        if depth or tokens[i] not in ("{", "}", ";", ")", "else"):
            continue
        if tokens[i] == ")" and not head:
            continue
        if tokens[i] == ";" and start < i and is_statement(tokens[start:i]):
            yield "left out", start, i, ";"
        start = i + 1


def is_statement(tokens: list[str]) -> bool:
    """Whether this does something and declares nothing, so that what is left still compiles."""
    declares = tokens[0] in TYPES | {"const", "__shared__", "extern", "#"}
    return not declares and (tokens[0] != "return" or len(tokens) == 1)


def edge(tokens: list[str], i: int, step: int) -> int:
    """The last token of the operand on one side of the comparison at ``i``."""
    into, out = (OPENED, CLOSED) if step > 0 else (CLOSED, OPENED)
    depth = 0
    while True:
        following = tokens[i + step]
        depth += (following in into) - (following in out)
        if depth < 0 or (depth == 0 and following in ENDS):
            return i
        i += step


def partner(tokens: list[str], i: int) -> int:
    """Where the parenthesis at ``i`` is closed."""
    depth = 0
    while True:
        depth += (tokens[i] == "(") - (tokens[i] == ")")
        if depth == 0:
            return i
        i += 1
