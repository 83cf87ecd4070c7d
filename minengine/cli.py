"""The command line: ``minengine info | tokens | generate | perplexity | bench | quantize |
selftest``.

Owns: arguments, printing, exit codes. Must not know: how anything is computed. Read before:
``engine.py``; the flags of the samplers are made from the rows of ``sampling.SAMPLERS``.

Exit codes: 0 done; 1 a selftest failed; 2 a wrong argument, or an error of the engine, said in one
line; 130 interrupted (Ctrl-C); 141 whoever read the output went away. Results go to stdout,
everything about them to stderr.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from minengine import gguf
from minengine import selftest as selftests
from minengine.engine import Engine, packaged_model
from minengine.errors import EngineError, RequestError
from minengine.formats import FORMATS
from minengine.requantize import requantize
from minengine.sampling import SAMPLERS
from minengine.tokenizer import Tokenizer

app = typer.Typer(
    help="A GGUF inference engine small enough to read in a weekend.\n\n"
    "Without --model every command uses the small Shakespeare model that comes with the package.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 a selftest failed, 2 an error said in one line, "
    "130 interrupted, 141 output closed.",
)

ModelOption = Annotated[
    Path | None, typer.Option("--model", "-m", help="A GGUF file; the packaged model otherwise.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", "-t", min=1, help="Threads; all processors otherwise.")
]
SpecialOption = Annotated[
    bool, typer.Option("--special", help="Texts of control tokens, such as </s>, are those tokens.")
]


def main() -> None:
    """The ``minengine`` program."""
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding can't show becomes "?" instead of an exception in the middle of
        # a text.
        stream.reconfigure(errors="replace")
    app(prog_name="minengine")


def command(*examples: str) -> Callable:
    """Register a function as a command, with examples under its help and every exception made an
    exit code.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
                sys.stdout.flush()
            except KeyboardInterrupt:
                print(flush=True)
                raise SystemExit(130) from None
            except BrokenPipeError:
                # The interpreter flushes stdout once more at its end; that must not fail too.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise SystemExit(141) from None
            except (EngineError, OSError) as e:
                said = f"{e.filename}: {e.strerror}" if isinstance(e, OSError) else str(e)
                print(f"minengine: {said}", file=sys.stderr)
                raise SystemExit(2) from None

        lines = "\n\n".join(f"  [cyan]{escape(line)}[/cyan]" for line in examples)
        return app.command(epilog=f"Examples:\n\n{lines}")(run)

    return register


def sampling_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command one flag for each row of ``SAMPLERS``, in place of its ``**sampling``."""
    signature = inspect.signature(function, eval_str=True)
    flags = []
    for row in SAMPLERS:
        option = typer.Option(f"--{row.name.replace('_', '-')}", help=row.help)
        kind, annotation = inspect.Parameter.KEYWORD_ONLY, Annotated[row.type, option]
        flags.append(inspect.Parameter(row.name, kind, default=row.default, annotation=annotation))
    kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    function.__signature__ = signature.replace(parameters=[*kept, *flags])
    function.__annotations__ = {p.name: p.annotation for p in [*kept, *flags]}
    return function


def print_json(found: dict[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False, indent=1))


@command(
    "minengine info",
    "minengine info --model llama.gguf --tensors",
    "minengine info --json",
)
def info(
    model: ModelOption = None,
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is in a GGUF file: sizes, formats, metadata; no weight is read."""
    path = Path(packaged_model() if model is None else model)
    with gguf.open(path) as file:
        metadata = {key: shown(value) for key, value in file.metadata.items()}
        directory = [
            {"name": t.name, "shape": list(t.shape), "format": t.format, "bytes": t.nbytes}
            for t in file.tensors.values()
        ]
        found = {"path": str(path), "bytes": file.size, "version": file.version}
    found["n_parameters"] = sum(math.prod(t["shape"]) for t in directory)
    found["formats"] = dict(Counter(t["format"] for t in directory))
    if as_json:
        print_json(found | {"metadata": metadata} | ({"tensors": directory} if tensors else {}))
        return
    formats = ", ".join(
        f"{n} x {name}" + ("" if name in FORMATS else " (not supported)")
        for name, n in found["formats"].items()
    )
    print(f"{path}: GGUF version {found['version']}, {found['bytes']:,} bytes")
    print(f"{found['n_parameters']:,} parameters in {len(directory)} tensors: {formats}\n")
    width = max(map(len, metadata), default=0)
    for key, value in metadata.items():
        print(f"{one_line(key):{width}}  {one_line(value)}")
    if tensors:
        print()
        width = max((len(t["name"]) for t in directory), default=0)
        for t in directory:
            shape = " x ".join(map(str, t["shape"]))
            name = one_line(t["name"])
            print(f"{name:{width}}  {shape:>14}  {t['format']:5} {t['bytes']:>12,} bytes")


def one_line(value: Any) -> str:
    """A value of a file for a terminal: control characters escaped, what is long cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"


def shown(value: Any) -> Any:
    """A metadata value as JSON has it; a list of more than eight is its first ones and its
    length.
    """
    if isinstance(value, (str, bool, int, float)):
        return value
    first = [shown(v.item() if hasattr(v, "item") else v) for v in value[:8]]
    return first if len(value) <= 8 else {"length": len(value), "first": first}


@command(
    'minengine tokens "To be, or not to be"',
    'minengine tokens --special "</s>"',
    "cat play.txt | minengine tokens - --json",
)
def tokens(
    text: Annotated[str, typer.Argument(help='The text; "-" reads stdin.')],
    model: ModelOption = None,
    special: SpecialOption = False,
    as_json: JsonOption = False,
) -> None:
    """A text as token ids, and what each of them prints."""
    with gguf.open(packaged_model() if model is None else model) as file:
        tokenizer = Tokenizer(file.metadata)
    raw = sys.stdin.buffer.read() if text == "-" else text
    ids = tokenizer.encode(raw, parse_special=special)
    texts = [tokenizer.texts[i].decode("utf-8", "replace") for i in ids]
    if as_json:
        print_json({"ids": ids, "tokens": texts})
        return
    for i, piece in zip(ids, texts, strict=True):
        print(f"{i:6}  {one_line(piece)}")
    print(f"{len(ids)} tokens", file=sys.stderr)


@command(
    'minengine generate "ROMEO:"',
    'minengine generate "KING" -n 200 --seed 1 --temperature 0.7',
    'minengine generate "To be" --greedy --json',
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
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    **sampling: Any,
) -> None:
    """Continue a text, token by token, as the model writes it."""
    start = sys.stdin.buffer.read() if prompt == "-" else prompt
    with Engine(model, threads) as engine:
        options = {"max_tokens": max_tokens, "seed": seed, "parse_special": special, **sampling}
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
    "minengine perplexity play.txt",
    "minengine perplexity play.txt --window 256 --stride 32",
    "tail -c 10000 play.txt | minengine perplexity - --json",
)
def perplexity(
    file: Annotated[str, typer.Argument(help='A text file; "-" reads stdin.')],
    model: ModelOption = None,
    window: Annotated[
        int | None, typer.Option(min=1, help="Tokens looked at; the context otherwise.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Tokens scored per window; half of it otherwise.")
    ] = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """How well a model predicts a text: every token scored once, in windows that begin with BOS."""
    text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    columns = [
        TextColumn("{task.completed} of {task.total} tokens"),
        BarColumn(),
        TimeRemainingColumn(),
    ]
    console = Console(stderr=True)
    with (
        Engine(model, threads) as engine,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("", total=None)
        found = engine.perplexity(
            text, window=window, stride=stride,
            progress=lambda n, total: bar.update(task, completed=n, total=total),
        )  # fmt: skip
    rates = ("nats_per_token", "nats_per_character", "perplexity")
    if as_json:
        print_json(asdict(found) | {name: getattr(found, name) for name in rates})
        return
    print(f"{found.n_tokens} tokens, {found.n_characters} characters,"
          f" windows of {found.window}, {found.stride} scored in each")  # fmt: skip
    for name in rates:
        print(f"{name.replace('_', ' '):20} {getattr(found, name):.4f}")


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
    as_json: JsonOption = False,
) -> None:
    """Tokens per second: reading a prompt (prefill) and writing an answer (decode)."""
    with Engine(model, threads) as engine:
        engine.tokenizer.ends = set()  # an end token would end the measurement
        V, n_threads = engine.model.hparams.V, engine.n_threads
        ids = np.random.default_rng(0).integers(0, V, prefill).tolist()
        runs = [measure(engine, ids, decode) for _ in range(samples)]
    found = {"model": str(model or packaged_model()), "n_threads": n_threads, "samples": samples}
    for name, n, seconds in zip(
        ("prefill", "decode"), (prefill, decode), zip(*runs, strict=True), strict=True
    ):
        middle = statistics.median(seconds)
        found[name] = {"n_tokens": n, "tokens_per_s": n / middle, "seconds": seconds}
    if as_json:
        print_json(found)
        return
    print(f"{found['model']}, {n_threads} threads, median of {samples}")
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


@command(
    "minengine quantize model-f32.gguf model-q4_k.gguf Q4_K",
    "minengine quantize small.gguf twin.gguf F32",
)
def quantize(
    source: Annotated[Path, typer.Argument(help="A GGUF file.")],
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    name: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")],
) -> None:
    """Write a model again with its matrices in another format."""
    requantize(source, target, name)
    print(f"{target}: {target.stat().st_size:,} bytes, from {source.stat().st_size:,}")


@command(
    "minengine selftest",
    "minengine selftest --model llama.gguf --json",
)
def selftest(model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Hold every part of the engine against plain NumPy float64, with the errors in numbers."""
    results = []
    for result in selftests.run(model):
        results.append(result)
        if not as_json:
            verdict = "ok    " if result.passed else "FAILED"
            print(f"{verdict} {result.name:34} {result.what}", flush=True)
    n_failed = sum(not r.passed for r in results)
    if as_json:
        print_json({"passed": not n_failed, "results": [asdict(r) for r in results]})
    else:
        print(f"{len(results) - n_failed} passed, {n_failed} failed")
    if n_failed:
        raise SystemExit(1)
