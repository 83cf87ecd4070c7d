"""Commands that run a model: ``generate``, ``bench``."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from minengine import strips
from minengine.cli.app import JsonOption, ModelOption, SpecialOption, command, print_json
from minengine.cli.options import answer_of, answer_options, engine_options, opened
from minengine.engine import Engine, packaged_model
from minengine.errors import RequestError
from minengine.generation import Generation
from minengine.sequence import Sequence


@command(
    'minengine generate "ROMEO:"',
    'minengine generate "KING" -n 200 --seed 1 --temperature 0.7',
    'minengine generate "To be" --greedy --json',
    'minengine generate "ROMEO:" -n 5000 --token-eviction sinks --cells 256',
    'minengine generate "ROMEO:" --save romeo.state; minengine generate --load romeo.state',
    """minengine generate "ROMEO: " --grammar 'root ::= ("yes" | "no") "."'""",
)
@engine_options("n_blocks", "n_batch", "eviction", "share_prefixes", "queue")
@answer_options
def generate(
    prompt: Annotated[str, typer.Argument(help='Text to continue; "-" reads stdin.')] = "",
    model: ModelOption = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", "-n", min=1, help="The most tokens to generate.")
    ] = 128,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same text; none is random.")
    ] = None,
    echo: Annotated[bool, typer.Option("--echo", help="Print the prompt first.")] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Speed and why it ended, on stderr.")
    ] = False,
    special: SpecialOption = False,
    save: Annotated[
        Path | None, typer.Option(help="Write text, cells and random numbers to a file.")
    ] = None,
    load: Annotated[
        Path | None, typer.Option(help="Go on from such a file, with its options.")
    ] = None,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """Continue a text, token by token, as the model writes it."""
    if load is not None and (prompt or save == load):
        raise RequestError(f"--load {load}: want no prompt and another file to save to")
    start = sys.stdin.buffer.read() if prompt == "-" else prompt
    with opened(model, options) as engine, answer_of(options) as answer:
        answer |= {"max_tokens": max_tokens, "seed": seed, "parse_special": special}
        stream = (
            engine.generate(start, **answer) if load is None
            else engine.resume(loaded(engine, load, max_tokens, seed))
        )  # fmt: skip
        sequence, began, pieces = stream.sequence, time.perf_counter(), []
        n_before = len(sequence.tokens)
        if echo and not as_json:
            print(start if isinstance(start, str) else start.decode("utf-8", "replace"), end="")
        for piece in kept(engine, stream, save):
            pieces.append(piece)
            if not as_json:
                print(piece, end="", flush=True)
        took_s = time.perf_counter() - began
    n_new = len(sequence.tokens) - n_before
    if as_json:
        said = {k: v for k, v in options.items() if v is None or isinstance(v, (str, int, float))}
        found = {"text": "".join(pieces), "ids": sequence.tokens[n_before:]}
        found |= {"prompt_ids": sequence.tokens[:n_before], "reason": sequence.reason}
        found |= {"seconds": took_s, "options": said | {"seed": seed, "max_tokens": max_tokens}}
        print_json(found | {"drafted": sequence.n_drafted, "accepted": sequence.n_accepted})
        return
    print()
    if stats:
        say_stats(sequence, n_new, took_s)


def loaded(engine: Engine, path: Path, max_tokens: int, seed: int | None) -> Sequence:
    """The sequence of a file, with so many tokens to go, and other random numbers if asked for."""
    sequence = engine.load(path)
    sequence.limit, sequence.limit_reason = len(sequence.tokens) + max_tokens, "length"
    if sequence.budget is None and sequence.limit > engine.context:
        sequence.limit, sequence.limit_reason = engine.context, "context"
    if len(sequence.tokens) >= sequence.limit:
        raise RequestError(f"{path}: the context of {engine.context} tokens is full")
    if seed is not None:
        sequence.chain.reseed(seed)
    return sequence


def kept(engine: Engine, stream: Generation, path: Path | None) -> Iterator[str]:
    """Pieces of a text; at its end, or Ctrl-C, it is written to a file, cells and all."""
    if path is not None:
        stream.sequence.keeps_cells = True
    try:
        yield from stream
    finally:
        if path is not None:
            engine.save(stream.sequence, path)
            engine.memory.release(stream.sequence)


def say_stats(sequence: Sequence, n_new: int, took_s: float) -> None:
    """Speed, why it ended, and what guesses were worth, on stderr."""
    print(f"{n_new} tokens, {n_new / took_s:.0f} tokens/s, ended by: {sequence.reason}",
          file=sys.stderr)  # fmt: skip
    if sequence.n_drafted:
        print(f"{sequence.n_accepted} of {sequence.n_drafted} guesses were right", file=sys.stderr)


@command(
    "minengine bench",
    "minengine bench --threads 1 --prefill 128 --decode 32 --json",
)
@engine_options("n_blocks", "eviction", "share_prefixes", "queue", repack=True)
def bench(
    model: ModelOption = None,
    prefill: Annotated[int, typer.Option(min=1, help="Tokens of the prompt.")] = 256,
    decode: Annotated[int, typer.Option(min=1, help="Tokens generated after it.")] = 64,
    samples: Annotated[int, typer.Option(min=1, help="Runs; the median counts.")] = 5,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """Tokens per second: reading a prompt (prefill) and writing an answer (decode)."""
    # the same prompt every time: it must not be found in the cache
    with opened(model, options, share_prefixes=False) as engine:
        engine.tokenizer.ends = set()  # an end token would end the measurement
        V, n_threads, mode = engine.model.hparams.V, engine.n_threads, engine.mode
        copied = engine.repacked_bytes
        ids = np.random.default_rng(0).integers(0, V, prefill).tolist()
        runs = [measure(engine, ids, decode) for _ in range(samples)]
    found = {"model": str(model or packaged_model()), "mode": mode, "n_threads": n_threads}
    found |= {"samples": samples, "simd": strips.CHOSEN, "repacked_bytes": copied}
    for name, n, seconds in zip(
        ("prefill", "decode"), (prefill, decode), zip(*runs, strict=True), strict=True
    ):
        middle = statistics.median(seconds)
        found[name] = {"n_tokens": n, "tokens_per_s": n / middle, "seconds": seconds}
    if as_json:
        print_json(found)
        return
    print(f"{found['model']}, {mode}, {n_threads} threads, median of {samples}")
    said = f"{copied:,} bytes copied for speed" if copied else "as they lie in the file"
    print(f"weights   {said}; products by {strips.CHOSEN}")
    for name in ("prefill", "decode"):
        slow, fast = (found[name]["n_tokens"] / f(found[name]["seconds"]) for f in (max, min))
        print(f"{name:8} {found[name]['n_tokens']:5} tokens  {found[name]['tokens_per_s']:8.0f}"
              f" tokens/s  ({slow:.0f} to {fast:.0f})")  # fmt: skip


def measure(engine: Engine, ids: list[int], n_decode: int) -> tuple[float, float]:
    """Seconds until the first token after a prompt, and for ``n_decode`` more."""
    sequence = engine.sequence(ids, max_tokens=n_decode + 1, greedy=True)
    if sequence.limit_reason == "context":
        raise RequestError(
            f"{len(ids)} + {n_decode + 1} tokens: the context holds {engine.context}"
        )
    engine.scheduler.add(sequence)
    marks = [time.perf_counter()]
    for n in (len(ids) + 1, sequence.limit):
        while len(sequence.tokens) < n:
            engine.step()
        marks.append(time.perf_counter())
    return marks[1] - marks[0], marks[2] - marks[1]
