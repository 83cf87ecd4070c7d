"""Does a variant for another processor give the bits, on a machine that has not got it?

    python bench/cross.py [--compiler aarch64-linux-gnu-gcc] [--emulator "qemu-aarch64 -L ROOT"]

Writes products of random and of extreme blocks, every coded format, as this machine's readable
product has them; builds ``cross.c`` with ``minengine/simd`` by the compiler, and has the emulator
run it on them. ``cross_spans.c`` does the same for attention, beside loops of its own. Exits with 1
where a bit differs. On a machine of that kind the tests of ``test_strips.py`` and
``test_attention.py`` say the same and more; here ``--compiler "gcc -march=native" --emulator env``
runs the loops on this one. Debian: gcc-aarch64-linux-gnu, qemu-user.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from minengine import integer
from minengine.formats import FORMATS, Format

HERE = Path(__file__).parent
FLAGS = ["-O2", "-ftree-vectorize", "-ffp-contract=off", "-std=c11", "-Wall"]
TOKENS = (1, 2, 3, 4, 5, 8, 13, 16)


def blocks(form: Format, rng: np.random.Generator, byte: int | None) -> np.ndarray:
    """32 rows of 768 elements: quantized numbers, or their scales with all other bytes the same."""
    raw = form.quantize(rng.standard_normal((32, 768)))
    if byte is not None:
        other = form.quantize(rng.standard_normal((32, 768)) * 3)
        raw[raw != other] = byte
        if not np.isfinite(form.dequantize(raw)).all():
            raw = other
    return raw


def case(form: Format, raw: np.ndarray, n_tokens: int, rng: np.random.Generator) -> bytes:
    """One case as cross.c reads it."""
    x = rng.standard_normal((n_tokens, 768)).astype(np.float32)
    x[:, ::5] *= np.float32(100)
    a, want = integer.Activations(x), np.empty((n_tokens, len(raw)), np.float32)
    integer.matmul(a, raw, form, want)
    head = np.array([form.ggml_id, len(raw), 768, n_tokens, raw.shape[1], 0, 0, 0], np.int64)
    return b"".join(part.tobytes() for part in (head, raw, x, a.groups, want))


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--compiler", default="aarch64-linux-gnu-gcc")
    flags.add_argument("--emulator", default="qemu-aarch64 -L /usr/aarch64-linux-gnu")
    args, rng = flags.parse_args(), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        cases, emulator = Path(folder, "cases"), shlex.split(args.emulator)
        build = [*shlex.split(args.compiler), *FLAGS, f"-I{HERE.parent / 'minengine'}"]
        for name in ("cross", "cross_spans"):
            source, program = str(HERE / f"{name}.c"), str(Path(folder, name))
            subprocess.run([*build, source, "-lm", "-o", program], check=True)
        with cases.open("wb") as f:
            for form in (form for form in FORMATS.values() if form.has_codes):
                for byte in (None, 0x00, 0x7F, 0x80, 0xFF):
                    raw = blocks(form, rng, byte)
                    for n_tokens in TOKENS if byte is None else (3, 16):
                        f.write(case(form, raw, n_tokens, rng))
        products = subprocess.run([*emulator, str(Path(folder, "cross")), str(cases)]).returncode
        attention = subprocess.run([*emulator, str(Path(folder, "cross_spans"))]).returncode
        sys.exit(products or attention)


if __name__ == "__main__":
    main()
