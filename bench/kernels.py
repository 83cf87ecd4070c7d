"""How fast is the integer product? Each format, few and many tokens, as a share of the ceiling.

    python bench/kernels.py [--variants avx512,avx2] [--formats Q8_0,Q4_K] [--tokens 1,4,64,512]
                            [--threads 1] [--csv FILE]

The weight has rows of 2048; for up to 4 tokens 200 MB of them, so that it comes from memory, and
the ceiling is memory read with nothing else to do; above, 4096 rows, and the ceiling is products of
8 bits with nothing else to do. Both ceilings are measured before and after each format on the same
memory and processor, and their mean counts. "file" is the weight as it lies in a file, in pages of
the usual size; "strips" the copy in large pages. Median of the samples in which the process had its
processors to itself (``clean.py``). For one thread pin it: ``taskset -c 1``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from clean import bandwidth, machine, products, timed

from minengine import repacking, strips
from minengine.formats import FORMATS, Format

N = 2048
FAR = 200_000_000  # bytes: several times what caches hold
NEAR = 4096  # rows
FEW = 4  # tokens, up to which memory is the limit
COLUMNS = (
    "variant", "format", "layout", "tokens", "threads", "gb_per_s", "gop_per_s", "ceiling", "unit",
    "share", "slowest_share", "fastest_share", "clean", "samples",
)  # fmt: skip


def weights(form: Format, room: np.ndarray, n_rows: int) -> np.ndarray:
    """Rows of random numbers in a format, the same 64 again and again, written to ``room``."""
    some = form.quantize(np.random.default_rng(0).standard_normal((64, N)))
    rows = room[: n_rows * some.shape[1]].reshape(n_rows, -1)
    for first in range(0, n_rows, 64):
        rows[first : first + 64] = some[: n_rows - first]
    return rows


def measured(
    form: Format,
    variant: str,
    tokens: list[int],
    n_threads: int,
    file: np.ndarray,
    copy: np.ndarray,
) -> Iterator[dict]:
    """The rows of the table for one format and variant."""
    how = {"n_threads": n_threads, "variant": variant}
    for n_tokens in tokens:
        few = n_tokens <= FEW
        n_rows = (FAR // form.row_bytes(N) if few else NEAR) // 16 * 16
        raw = weights(form, file, n_rows)
        laid = copy[: raw.size].reshape(raw.shape)
        strips.interleave(raw, form, laid, **how)
        x = np.random.default_rng(1).standard_normal((n_tokens, N)).astype(np.float32)
        a, out = strips.rounded(x, variant=variant), np.empty((n_tokens, n_rows), np.float32)
        for layout, data in (("file", raw), ("strips", laid)):
            ceilings = [ceiling(few, copy, **how)]
            t = timed(
                lambda d=data: strips.matmul(a, d, form, out, interleaved=d is laid, **how),  # noqa: B023
                n_threads=n_threads,
            )
            ceilings.append(ceiling(few, copy, **how))
            work = raw.size if few else 2 * n_tokens * n_rows * N
            top = sum(ceilings) / 2
            numbers = (
                variant, form.name, layout, n_tokens, n_threads, raw.size / t.seconds / 1e9,
                2 * n_tokens * n_rows * N / t.seconds / 1e9, top / 1e9, "GB/s" if few else "GOP/s",
                work / t.seconds / top, work / t.most / top, work / t.least / top, t.clean,
                t.samples,
            )  # fmt: skip
            yield dict(zip(COLUMNS, numbers, strict=True))


def ceiling(few: bool, memory: np.ndarray, **how) -> float:
    return bandwidth(memory, **how) if few else products(**how)


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    coded = ",".join(name for name, f in FORMATS.items() if f.has_codes)
    flags.add_argument("--variants", default=strips.CHOSEN)
    flags.add_argument("--formats", default=coded)
    flags.add_argument("--tokens", default="1,4,64,512")
    flags.add_argument("--threads", type=int, default=1)
    flags.add_argument("--csv", type=Path)
    args = flags.parse_args()
    names = [name for name in args.variants.split(",") if name != "portable"]
    for name in names:
        strips.choose(name)
    room = repacking.large_pages(FAR)
    room[:] = 1
    plain, found = np.ones(FAR, np.uint8), []
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{'':24} {'tokens':>6} {'GB/s':>7} {'GOP/s':>7}  share of the ceiling (range)")
    for name in names:
        for form in (FORMATS[f] for f in args.formats.split(",")):
            tokens = [int(n) for n in args.tokens.split(",")]
            for r in measured(form, name, tokens, args.threads, plain, room):
                found.append(r)
                print(
                    f"{name:7} {form.name:7} {r['layout']:8} {r['tokens']:6} {r['gb_per_s']:7.1f} "
                    f"{r['gop_per_s']:7.0f}  {r['share']:4.0%} of {r['ceiling']:.0f} {r['unit']} "
                    f"({r['slowest_share']:.0%} to {r['fastest_share']:.0%}; {r['clean']} clean)",
                    flush=True,
                )
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as f:
            here = {k: v for k, v in machine().items() if k not in COLUMNS}  # a row has its variant
            writer = csv.DictWriter(f, [*COLUMNS, *here])
            writer.writeheader()
            writer.writerows(r | here for r in found)


if __name__ == "__main__":
    main()
