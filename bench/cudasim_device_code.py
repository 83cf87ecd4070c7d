"""The device code of a .cu file that also holds a host program.

Keeps, word for word, what NVRTC would be given: kernels, device functions, types, constants and
macros. Host functions and headers of the host are left out; local headers are
taken in where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cudasim.source import COMMENT, INCLUDES

DEVICE = re.compile(r"__(global|device|constant|managed)__")
HOST = re.compile(r"\b(std::|cu(da|blas|dnn|rand)[A-Z]\w*|FILE\b|StopWatch|nv(ml|tx)\w*)")
KEPT = re.compile(
    r"\s*(template|struct|class|typedef|using|namespace|enum|union|constexpr|(static\s+)?const\b"
    r"|static\s+constexpr|extern\s+\"C\"|inline|static)"
)


def device_code(path: Path, seen: set[Path] | None = None) -> str:
    """The device part of a file, local headers included once."""
    seen = seen if seen is not None else set()
    if path in seen:
        return ""
    seen.add(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    return "\n".join(kept(piece, path, seen) for piece in pieces(text)) + "\n"


def kept(piece: str, path: Path, seen: set[Path]) -> str:
    """A piece as it stays, "" where it is the host's."""
    bare = COMMENT.sub(lambda m: " " if m.group().startswith("/") else m.group(), piece)
    include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', bare)
    if include:
        local = path.parent / include.group(2)
        if include.group(1) == '"' and local.exists():
            return device_code(local, seen)
        if include.group(2).startswith("cublas"):  # brings the 16-bit types along
            return "#include <cuda_fp16.h>\n#include <cuda_bf16.h>"
        return piece if include.group(2) in INCLUDES else ""
    if bare.lstrip().startswith("#"):
        return "" if HOST.search(bare) or "pragma once" in bare else piece
    if DEVICE.search(bare):
        return piece
    body = bare.find("{")
    head = bare if body < 0 else bare[:body]
    is_function = "(" in head and not re.match(r"\s*(struct|class|enum|typedef|using)\b", bare)
    if not KEPT.match(bare) or is_function or HOST.search(bare):
        return ""
    return piece


def pieces(text: str) -> Iterator[str]:
    """Statements and preprocessor lines of the file's outermost level, in order."""
    plain = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    at = start = 0
    depth = 0
    while at < len(plain):
        if depth == 0 and re.match(r"[ \t]*#", plain[at : at + 80]) and not plain[start:at].strip():
            end = re.compile(r"(?:\\\n|[^\n])*").match(plain, at).end()
            yield text[at:end]
            at = start = end + 1
            continue
        c = plain[at]
        depth += (c in "{(") - (c in "})")
        at += 1
        ends_block = c == "}" and depth == 0 and not re.match(r"\s*[\w,;*\[]", plain[at : at + 40])
        is_type = re.match(r"\s*(typedef|struct|class|union|enum)", plain[start:at])
        if c == "}" and depth == 0 and not ends_block and not is_type:
            ends_block = not re.match(r"\s*;", plain[at : at + 40])
        if depth == 0 and (c == ";" or ends_block):
            yield text[start:at]
            start = at
    yield text[start:]
