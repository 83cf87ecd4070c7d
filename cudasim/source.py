"""What a CUDA source says, as far as the simulator must know before a compiler reads it.

Owns: tokens with their places, kernels and their parameters, __shared__ declarations, variables of
a module, and the text that the compiler gets. Must not know: compilers, files.
Lines stay lines: whatever is put in or taken out, line N of the result is line N of the source.
Columns stay too, but on a line that declares dynamic shared memory or includes a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cudasim.errors import CompileException

# What may be included, and which of our headers it stands for ("" is always there).
INCLUDES = {
    **dict.fromkeys(
        [
            *("cuda_runtime.h", "cuda_runtime_api.h", "cuda.h", "device_launch_parameters.h"),
            *("math_constants.h", "math.h", "cmath", "stdint.h", "cstdint", "inttypes.h"),
            *("stdio.h", "cstdio", "stdlib.h", "cstdlib", "stddef.h", "cstddef", "string.h"),
            *("cstring", "limits", "algorithm", "cuda/std/cstdint", "cuda/std/limits"),
            *("cuda/std/cmath", "cuda/std/cstddef"),
        ],
        "standard.h",
    ),
    **dict.fromkeys(
        [
            *("device_functions.h", "vector_types.h", "vector_functions.h", "math_functions.h"),
            *("assert.h", "cassert", "type_traits", "utility", "stdbool.h", "sm_30_intrinsics.h"),
            *("cuda/std/type_traits", "cuda/std/utility"),
        ],
        "",
    ),
    **dict.fromkeys(["float.h", "cfloat", "limits.h", "climits", "cuda/std/climits"], "limits.h"),
    "cuda_fp16.h": "half.h",
    "cuda_bf16.h": "half.h",
    "cooperative_groups.h": "groups.h",
    "cooperative_groups/reduce.h": "groups.h",
    "cooperative_groups/scan.h": "groups.h",
}
# Words that would leave the simulated device; CUDA has them, or would refuse them itself.
REFUSED = {
    **dict.fromkeys(["asm", "__asm", "__asm__"], "inline PTX is not simulated"),
    **dict.fromkeys(["tex1D", "tex2D", "tex3D", "tex1Dfetch"], "textures are not simulated"),
    **dict.fromkeys(["surf1Dread", "surf2Dread", "surf2Dwrite"], "surfaces are not simulated"),
    "wmma": "tensor cores are not simulated",
    **dict.fromkeys(["throw", "try", "catch"], "exceptions are not allowed in device code"),
    **dict.fromkeys(["thread_local"], "thread-local storage is not allowed in device code"),
    **dict.fromkeys(
        ["__attribute__", "__attribute", "__extension__"], "attributes of the host are not allowed"
    ),
}
HOST_FUNCTION = (
    "A function without execution space annotations (__host__/__device__/__global__) is considered "
    "a host function, and host functions are not allowed in JIT mode"
)
TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|::|->|[^\s\w]")
COMMENT = re.compile(
    r'//(?:[^\n\\]|\\.|\\\n)*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S
)


@dataclass(frozen=True)
class Token:
    """One word or sign, with its place: ``at`` in the text, ``depth`` of { } around it."""

    text: str
    at: int
    depth: int
    scope: tuple[str, ...]  # namespaces around it, where nothing but namespaces is


@dataclass(frozen=True)
class Kernel:
    """A ``__global__`` function. ``bounds``: the first expression of __launch_bounds__, or "".

    ``signature``: its parameters as text, where a ``__device__`` function has the same name.
    """

    name: str
    params: tuple[str, ...]
    bounds: str
    is_template: bool
    is_extern_c: bool
    line: int
    end: int  # where its body ends, 0 where this is a declaration alone
    signature: str = ""


@dataclass(frozen=True)
class Shared:
    """A ``__shared__`` declaration: the text between ``start`` and ``end`` (the semicolon)."""

    names: tuple[str, ...]
    start: int
    end: int
    is_extern: bool
    depth: int
    line: int


@dataclass(frozen=True)
class Source:
    """A source taken apart; ``plain`` has blanks for comments and literals, place for place."""

    text: str
    plain: str
    kernels: tuple[Kernel, ...]
    shared: tuple[Shared, ...]
    variables: tuple[tuple[str, str], ...]  # (d __device__ or c __constant__, name)
    includes: tuple[tuple[int, int, str], ...] = field(default=())

    def line(self, at: int) -> int:
        """The line, from 1, of a place in the text."""
        return self.text.count("\n", 0, at) + 1


def read(text: str) -> Source:
    """Takes a source apart; raises CompileException for what no device compiler would take."""
    plain = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    includes = tuple(find_includes(text, plain))
    tokens = tuple(tokenize(text, re.sub(r"^[ \t]*#.*$", blank, plain, flags=re.M)))
    for token in (t for t in TOKEN.finditer(plain) if t.group() in REFUSED):
        raise error(text, token.start(), f"{token.group()}: {REFUSED[token.group()]}")
    for token in host_functions(tokens):
        raise error(text, token.at, HOST_FUNCTION)
    launch = plain.find("<<<")
    if launch >= 0:
        raise error(text, launch, "a kernel cannot launch a kernel here")
    return Source(
        text=text,
        plain=plain,
        kernels=tuple(find_kernels(text, tokens)),
        shared=tuple(find_shared(text, tokens)),
        variables=tuple(find_variables(tokens)),
        includes=includes,
    )


def error(text: str, at: int, message: str) -> CompileException:
    """The exception that a front end raises at a place in the text."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    shown = text.splitlines()[line - 1] if text else ""
    log = f"kernel.cu({line},{column}): error: {message}\n    {shown}\n    {' ' * (column - 1)}^"
    return CompileException(log, ((line, column, message),))


def blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def find_includes(text: str, plain: str) -> Iterator[tuple[int, int, str]]:
    for m in re.finditer(
        r"^[ \t]*(?:#|%:|\?\?=)[ \t]*(include|include_next|import)\b.*$", plain, re.M
    ):
        given = text[m.end(1) : m.end()].strip()
        name = re.match(r'[<"]([^>"]*)[>"]', given)
        if m.group(1) != "include" or not name or name.group(1) not in INCLUDES:
            shown = name.group(1) if name else given
            raise error(text, m.start(1), f'cannot open source file "{shown}"')
        yield m.start(), m.end(), INCLUDES[name.group(1)]


def tokenize(text: str, plain: str) -> Iterator[Token]:
    """The words and signs of the text, each with how deep it stands in blocks."""
    opened: list[str] = []  # per {: "namespace x", 'extern "C"', or "" for a block
    head: list[str] = []
    for m in TOKEN.finditer(plain):
        word = m.group()
        if word == "}" and opened:
            opened.pop()
        depth = sum(not kind for kind in opened)
        names = tuple(k[10:] for k in opened if k.startswith("namespace "))
        yield Token(word, m.start(), depth, names)
        if word == "{":
            opened.append(kind_of_block(text, head, m.start()))
        head = [] if word in "{};" else [*head, word]


def kind_of_block(text: str, head: list[str], at: int) -> str:
    if head[:1] == ["namespace"]:
        return "namespace " + "".join(head[1:])
    return 'extern "C"' if re.search(r'extern\s*"C"\s*$', text[:at]) else ""


def matching(tokens: tuple[Token, ...], i: int) -> int:
    """The place of the bracket that closes the one at ``i``."""
    pairs = {"(": ")", "[": "]", "<": ">", "{": "}"}
    opening, closing, level = tokens[i].text, pairs[tokens[i].text], 0
    for k in range(i, len(tokens)):
        level += (tokens[k].text == opening) - (tokens[k].text == closing)
        if level == 0:
            return k
    return len(tokens) - 1


def host_functions(tokens: tuple[Token, ...]) -> Iterator[Token]:
    """Names of functions at file scope that nothing marks as code of the device."""
    head = 0  # where the statement begins
    k = 0
    while k < len(tokens):
        token = tokens[k]
        words = {t.text for t in tokens[head:k]}
        if token.text == "{" and not token.depth:
            opened = next((n for n in range(head, k) if tokens[n].text == "("), 0)
            named = opened > head and is_name(tokens[opened - 1].text)
            typed = words & {"struct", "class", "union", "enum", "namespace", "=", "operator"}
            marked = words & {"__device__", "__global__", "__host__"}
            if named and not typed and not marked and opened - head > 1:
                yield tokens[opened - 1]
            if "namespace" not in words and tokens[k - 1].text != "extern":
                k = matching(tokens, k)
        if tokens[k].text in "{};":
            head = k + 1
        k += 1


def find_kernels(text: str, tokens: tuple[Token, ...]) -> Iterator[Kernel]:
    seen: set[str] = set()
    beside = device_functions(tokens)
    for i, token in enumerate(tokens):
        if token.text != "__global__":
            continue
        k, bounds = i + 1, ""
        while k < len(tokens) and not (tokens[k].text == "(" and is_name(tokens[k - 1].text)):
            if tokens[k].text == "__launch_bounds__":
                end = matching(tokens, k + 1)
                inside = text[tokens[k + 1].at + 1 : tokens[end].at]
                bounds, k = inside.split(",")[0].strip(), end
            k += 1
        if k >= len(tokens):
            return
        end = matching(tokens, k)
        if "void" not in {t.text for t in tokens[max(0, i - 3) : k]}:
            raise error(text, token.at, "a __global__ function must have a void return type")
        name = "::".join([*token.scope, tokens[k - 1].text])
        after = end + 1 if end + 1 < len(tokens) else end
        body = tokens[matching(tokens, after)].at + 1 if tokens[after].text == "{" else 0
        start = next((n for n in range(i, -1, -1) if n == 0 or tokens[n - 1].text in "{};"), 0)
        head = text[tokens[start].at : token.at]
        if name in seen or not name or not body:
            continue
        seen.add(name)
        yield Kernel(
            name=name,
            params=tuple(parameters(tokens[k + 1 : end])),
            bounds=bounds,
            is_template=tokens[start].text == "template",
            is_extern_c='"C"' in head or in_extern_c(text, tokens, i),
            line=text.count("\n", 0, token.at) + 1,
            end=body,
            signature=" ".join(t.text for t in tokens[k + 1 : end])
            if tokens[k - 1].text in beside
            else "",
        )


def device_functions(tokens: tuple[Token, ...]) -> set[str]:
    """Names of ``__device__`` functions."""
    found = set()
    for i, token in enumerate(tokens):
        if token.text == "__device__":
            end = next((n for n in range(i, len(tokens)) if tokens[n].text in "({;="), len(tokens))
            if end < len(tokens) and tokens[end].text == "(":
                found.add(tokens[end - 1].text)
    return found


def is_name(word: str) -> bool:
    return bool(re.match(r"[A-Za-z_]", word)) and word not in ("__launch_bounds__", "__align__")


def in_extern_c(text: str, tokens: tuple[Token, ...], i: int) -> bool:
    level = 0
    for k in range(i, -1, -1):
        level += (tokens[k].text == "}") - (tokens[k].text == "{")
        if level < 0:
            return bool(re.search(r'extern\s*"C"\s*$', text[: tokens[k].at]))
    return False


def parameters(tokens: tuple[Token, ...]) -> Iterator[str]:
    """The names between the brackets of a parameter list."""
    level, name, done = 0, "", False
    for token in tokens:
        level += (token.text in "([{<") - (token.text in ")]}>")
        if token.text == "," and level == 0:
            yield name
            name, done = "", False
        elif token.text in ("=", "["):
            done = True
        elif level == 0 and not done and re.match(r"[A-Za-z_]", token.text):
            name = token.text
    if name:
        yield name


def find_shared(text: str, tokens: tuple[Token, ...]) -> Iterator[Shared]:
    for i, token in enumerate(tokens):
        if token.text != "__shared__":
            continue
        first = i
        while first and tokens[first - 1].text not in "{};)":
            first -= 1
        last = i
        while last < len(tokens) - 1 and tokens[last].text != ";":
            last = matching(tokens, last) if tokens[last].text == "{" else last + 1
            last += tokens[last].text == "}"
        words = [t.text for t in tokens[first:last]]
        if "=" in words and "struct" not in words:
            raise error(text, token.at, "initializer not allowed for __shared__ variable")
        yield Shared(
            names=tuple(declared(tokens[i + 1 : last])),
            start=tokens[first].at,
            end=tokens[last].at,
            is_extern="extern" in words,
            depth=token.depth,
            line=text.count("\n", 0, token.at) + 1,
        )


def declared(tokens: tuple[Token, ...]) -> Iterator[str]:
    """The names that a declaration declares: before a bracket, a comma or its end."""
    level, name, k = 0, "", 0
    while k < len(tokens):
        word = tokens[k].text
        if word in ("__align__", "alignas") and k + 1 < len(tokens):
            k = matching(tokens, k + 1)
        elif word in ("[", "{", "<", "("):
            k = matching(tokens, k)
        elif word == "," and level == 0:
            yield name
        elif word == "=":
            while k + 1 < len(tokens) and tokens[k + 1].text != ",":
                k = matching(tokens, k + 1) if tokens[k + 1].text in "([{" else k + 1
        elif re.match(r"[A-Za-z_]", word):
            name = word
        k += 1
    if name:
        yield name


def find_variables(tokens: tuple[Token, ...]) -> Iterator[tuple[str, str]]:
    """__device__ and __constant__ variables of the module, with the namespaces they stand in."""
    kinds = {"__device__": "d", "__constant__": "c", "__managed__": "d"}
    k = 0
    while k < len(tokens):
        token = tokens[k]
        if token.text not in kinds or token.depth:
            k += 1
            continue
        end = next((n for n in range(k, len(tokens)) if tokens[n].text in ";{="), len(tokens))
        words = [t.text for t in tokens[k:end]]
        kind = "c" if "__constant__" in words else kinds[token.text]
        has_call = any(
            a.text == "(" and (b.text == ">" or (is_name(b.text) and b.text != "alignas"))
            for a, b in zip(tokens[k + 1 : end], tokens[k:end], strict=False)
        )
        if not has_call and "operator" not in words and "struct" not in words:
            stop = next((n for n in range(k, len(tokens)) if tokens[n].text == ";"), len(tokens))
            for name in declared(tokens[k + 1 : stop]):
                yield kind, "::".join([*token.scope, name])
            end = stop
        k = end + 1
