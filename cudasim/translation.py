"""From a CUDA source to the text that a C++ compiler gets.

Owns: what is put in place of includes and __shared__ declarations, and the tables of kernels and
variables at the end. Read source.py before. Line N of the result is line N of the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cudasim.source import Shared, Source

TABLES = """
#line 1 "cudasim-tables"
{kernels}
extern "C" __attribute__((visibility("default"))) const CudasimVariable cudasim_variables[] = {{
{variables}
{{}} }};
"""
# Shared arrays of a checked kernel lie this far from what is beside them, so that an index a little
# beyond one is seen to be beyond it.
GAP_BYTES = 4096


def translate(
    source: Source, names: tuple[str, ...], defines: tuple[tuple[str, str], ...], *, checked: bool
) -> str:
    """The C++ text: ``names`` are the kernels (or template instances) that can be launched.

    ``defines`` (name, value) stand before the source and behind our headers, which have names of
    their own.
    """
    edits = [(a, b, f'#include "{name}"' if name else "") for a, b, name in source.includes]
    for i, shared in enumerate(source.shared):
        statement = source.text[shared.start : shared.end + 1]
        if shared.is_extern:
            told = f' cudasim_note_dynamic("{shared.names[0]}", sizeof(*{shared.names[0]}));'
            told = told if checked and shared.depth else ""
            edits.append((shared.start, shared.end + 1, dynamic(statement, shared) + told))
        elif re.match(r"static\b", source.plain[shared.start :]):
            edits.append((shared.start, shared.start + 6, "      "))
        if checked and shared.depth and not shared.is_extern:
            edits = [e for e in edits if not shared.start <= e[0] <= shared.end]
            edits.append((shared.start, shared.end + 1, guarded(statement, shared, i)))
    for i, kernel in enumerate(source.kernels):
        if not kernel.is_template:
            name = kernel.name.split("::")[-1]
            if kernel.signature:  # which of those of this name
                name = f"*static_cast<void (*)({kernel.signature})>({name})"
            edits.append((kernel.end, kernel.end, row(i, kernel.name, kernel.bounds, name)))
    text = source.text
    for a, b, new in sorted(edits, reverse=True):
        text = text[:a] + new + text[b:]
    macros = "".join(f"#define {name} {value}\n" for name, value in defines)
    return f'{macros}#line 1 "kernel.cu"\n{text}\n{tables(source, names)}'


def dynamic(statement: str, shared: Shared) -> str:
    """``extern __shared__ T s[];`` as a constant pointer to the block's dynamic memory."""
    words = re.sub(r"\b(extern|__shared__)\b", lambda m: " " * len(m.group()), statement)
    name = shared.names[0]
    match = re.search(rf"\b{name}\s*\[\s*\]", words)
    if match is None:
        return re.sub(r"\b__shared__\b", "          ", statement)  # the compiler will say it
    head, tail = words[: match.start()], words[match.end() : -1]
    return f"static {head.lstrip()}(*const {name}){tail} = (decltype({name}))cudasim_dynamic;"


def guarded(statement: str, shared: Shared, number: int) -> str:
    """A __shared__ declaration with room around it, and a call that tells the sanitizer of it."""
    member = re.sub(r"\b(static|__shared__)\b", "", statement)
    box = f"cudasim_box{number}"
    names = "".join(
        f' static constexpr auto& {n} = {box}.member.{n}; cudasim_shared("{n}", {n});'
        for n in shared.names
    )
    gap = f"alignas(128) char {{}}[{GAP_BYTES}];"
    return (
        f"static struct {{ {gap.format('low')} struct {{ {member} }} member; "
        f"{gap.format('high')} }} {box};{names}"
    )


def row(number: int, shown: str, bounds: str, expression: str) -> str:
    """What makes a kernel known. It stands behind the kernel, so where the preprocessor takes one
    away, it takes the other."""
    return f' CUDASIM_ROW({number}, "{shown}", {bounds or 1024}, {expression})'


def tables(source: Source, names: tuple[str, ...]) -> str:
    """Template instances, which the source does not name, and the module's variables."""
    bounds = {k.name: k.bounds for k in source.kernels}
    plain = {k.name for k in source.kernels if not k.is_template}
    first = len(source.kernels)
    instances = [n for n in names if n not in plain]
    kernels = [
        row(first + i, n, bounds.get(n.split("<")[0], ""), n) for i, n in enumerate(instances)
    ]
    return TABLES.format(kernels="\n".join(kernels), variables="\n".join(variables(source)))


def variables(source: Source) -> Iterator[str]:
    """Rows of the module's own variables, shared ones of the whole file among them."""
    for kind, name in source.variables:
        yield f"CUDASIM_VARIABLE('{kind}', \"{name}\", {name}),"
    for shared in source.shared:
        if not shared.depth and not shared.is_extern:
            for name in shared.names:
                yield f"CUDASIM_VARIABLE('s', \"{name}\", {name}),"
