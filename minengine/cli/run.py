"""Commands that run a model: ``generate``, ``bench``."""

from __future__ import annotations

import statistics
import sys
import time
from typing import Annotated, Any

import numpy as np
import typer

from minengine.cli.app import (
    AnswerOption,
    GrammarFileOption,
    GrammarOption,
    JsonOption,
    ModelOption,
    ModeOption,
    SchemaFileOption,
    SchemaOption,
    SpecialOption,
    ThreadsOption,
    biases,
    command,
    grammar_of,
    print_json,
    sampling_options,
)
from minengine.engine import DRY_BREAKERS, Engine, packaged_model
from minengine.errors import RequestError


@command(
    'minengine generate "ROMEO:"',
    'minengine generate "KING" -n 200 --seed 1 --temperature 0.7',
    'minengine generate "To be" --greedy --json',
    """minengine generate "ROMEO: " --grammar 'root ::= ("yes" | "no") "."'""",
)
@sampling_options
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
    grammar: GrammarOption = None,
    grammar_file: GrammarFileOption = None,
    json_schema: SchemaOption = None,
    json_schema_file: SchemaFileOption = None,
    no_penalize_prompt: AnswerOption = False,
    threads: ThreadsOption = None,
    mode: ModeOption = "exact",
    as_json: JsonOption = False,
    **sampling: Any,
) -> None:
    """Continue a text, token by token, as the model writes it."""
    start = sys.stdin.buffer.read() if prompt == "-" else prompt
    given = {"--grammar": grammar, "--grammar-file": grammar_file}
    given |= {"--json-schema": json_schema, "--json-schema-file": json_schema_file}
    sampling["grammar"] = grammar_of(given)
    sampling["penalize_prompt"] = not no_penalize_prompt
    with Engine(model, threads, mode=mode) as engine:
        options = {"max_tokens": max_tokens, "seed": seed, "parse_special": special, **sampling}
        options["logit_bias"] = biases(options["logit_bias"])
        options["dry_breakers"] = options["dry_breakers"] or DRY_BREAKERS
        began, pieces, stream = time.perf_counter(), [], engine.generate(start, **options)
        if echo and not as_json:
            print(start if isinstance(start, str) else start.decode("utf-8", "replace"), end="")
        for piece in stream:
            pieces.append(piece)
            if not as_json:
                print(piece, end="", flush=True)
        took_s, done = time.perf_counter() - began, stream.sequence
        n_new = len(done.tokens) - done.n_prompt
    if as_json:
        print_json(
            {
                "text": "".join(pieces), "ids": done.tokens[done.n_prompt :],
                "prompt_ids": done.tokens[: done.n_prompt], "reason": done.reason,
                "seconds": took_s, "options": sampling | {"seed": seed, "max_tokens": max_tokens},
            }
        )  # fmt: skip
        return
    print()
    if stats:
        rate = n_new / took_s
        print(f"{n_new} tokens, {rate:.0f} tokens/s, ended by: {done.reason}", file=sys.stderr)


@command(
    "minengine bench",
    "minengine bench --threads 1 --prefill 128 --decode 32 --json",
)
def bench(
    model: ModelOption = None,
    prefill: Annotated[int, typer.Option(min=1, help="Tokens of the prompt.")] = 256,
    decode: Annotated[int, typer.Option(min=1, help="Tokens generated after it.")] = 64,
    samples: Annotated[int, typer.Option(min=1, help="Runs; the median counts.")] = 5,
    threads: ThreadsOption = None,
    mode: ModeOption = "exact",
    as_json: JsonOption = False,
) -> None:
    """Tokens per second: reading a prompt (prefill) and writing an answer (decode)."""
    # the same prompt every time: it must not be found in the cache
    with Engine(model, threads, mode=mode, share_prefixes=False) as engine:
        engine.tokenizer.ends = set()  # an end token would end the measurement
        V, n_threads = engine.model.hparams.V, engine.n_threads
        ids = np.random.default_rng(0).integers(0, V, prefill).tolist()
        runs = [measure(engine, ids, decode) for _ in range(samples)]
    found = {"model": str(model or packaged_model()), "mode": mode, "n_threads": n_threads}
    found["samples"] = samples
    for name, n, seconds in zip(
        ("prefill", "decode"), (prefill, decode), zip(*runs, strict=True), strict=True
    ):
        middle = statistics.median(seconds)
        found[name] = {"n_tokens": n, "tokens_per_s": n / middle, "seconds": seconds}
    if as_json:
        print_json(found)
        return
    print(f"{found['model']}, {mode}, {n_threads} threads, median of {samples}")
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
