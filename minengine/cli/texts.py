"""Commands that measure texts: ``perplexity``, ``kl``, ``embed``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from minengine import distributions, divergence
from minengine.cli.app import JsonOption, ModelOption, command, print_json
from minengine.cli.options import engine_options, opened
from minengine.embeddings import POOLING
from minengine.engine import packaged_model
from minengine.errors import RequestError
from minengine.perplexity import METHODS

FileArgument = Annotated[str, typer.Argument(help='A text file; "-" reads stdin.')]
# of the engine: a text that is only read keeps no cache, and waits for nobody
UNUSED = ("n_blocks", "block_size", "n_batch", "eviction", "share_prefixes", "queue")


def read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int, float], None]]:
    """A progress callback: tokens done, tokens in all and a value so far, drawn on a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.completed} of {task.total} tokens"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn(what + " {task.fields[value]:.5g}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as p:
        task = p.add_task("", total=None, value=float("nan"))
        yield lambda n, total, value: p.update(task, completed=n, total=total, value=value)


@command(
    "minengine perplexity play.txt",
    "minengine perplexity play.txt --window 256 --stride 32",
    "minengine perplexity play.txt --method llama.cpp --window 512",
    "tail -c 10000 play.txt | minengine perplexity - --json",
)
@engine_options("context", *UNUSED, mode="exact")
def perplexity(
    file: FileArgument,
    model: ModelOption = None,
    method: Annotated[
        str,
        typer.Option(
            help="stride: every token scored once, in windows that begin with BOS; llama.cpp: the "
            "second half of each chunk, to compare with numbers of others."
        ),
    ] = "stride",
    window: Annotated[
        int | None,
        typer.Option(
            min=1, help="Tokens of a window or chunk; the context otherwise, for llama.cpp 512."
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens scored per window; half of it otherwise. Not for chunks."),
    ] = None,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """How well a model predicts a text."""
    if method not in METHODS:
        raise RequestError(f"--method {method}: want {' or '.join(METHODS)}")
    text = read(file)
    with opened(model, options, context=window) as engine, bar("perplexity so far") as progress:
        found = engine.perplexity(
            text, method=method, window=window, stride=stride, progress=progress
        )
    rates = ("nats_per_token", "nats_per_character", "perplexity", "error")
    if as_json:
        print_json(asdict(found) | {name: getattr(found, name) for name in rates})
        return
    print(f"{found.n_tokens} tokens, {found.n_characters} characters,"
          f" windows of {found.window}, {found.stride} scored in each")  # fmt: skip
    for name in rates[:2]:
        print(f"{name.replace('_', ' '):20} {getattr(found, name):.4f}")
    print(f"{'perplexity':20} {plus_minus(found.perplexity, found.error, '.4f')}")


def plus_minus(value: float, error: float | None, form: str) -> str:
    said = f"{value:{form}}"
    return said if error is None else f"{said} +/- {error:{form.removeprefix('+')}}"


@command(
    "minengine kl play.txt --mode fast",
    "minengine kl play.txt --cache-format Q8_0",
    "minengine kl play.txt --model model-q4_k_m.gguf --base model-f16.gguf",
    "minengine kl play.txt --model model-f16.gguf --save-base f16.base",
    "minengine kl play.txt --model model-q4_k_m.gguf --base f16.base --json",
)
@engine_options("context", *UNUSED, mode="exact")
def kl(
    file: FileArgument,
    model: ModelOption = None,
    base: Annotated[
        Path | None,
        typer.Option(help="A GGUF model, or what --save-base wrote; the model itself otherwise."),
    ] = None,
    base_mode: Annotated[
        str | None, typer.Option(help="Of a base that is a model, as --mode; exact otherwise.")
    ] = None,
    save_base: Annotated[
        Path | None,
        typer.Option(help="Keep the model's distributions here, compare nothing.", metavar="FILE"),
    ] = None,
    base_form: Annotated[
        str,
        typer.Option(help="What --save-base keeps of a probability: F32, or U16, half as large."),
    ] = "U16",
    window: Annotated[
        int | None,
        typer.Option(min=3, help="Tokens of a chunk; the saved base's or 512 otherwise."),
    ] = None,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """How far a model's next-token distributions are from a base's, on the same text.

    The text is cut and scored as by perplexity --method llama.cpp. A base that is a model has an
    F32 cache.
    """
    text = read(file)
    if save_base is not None:
        if base is not None or base_mode is not None:
            raise RequestError(
                "--save-base keeps the model's distributions: want no --base with it"
            )
        with opened(model, options, context=window) as engine, bar("perplexity so far") as progress:
            distributions.save(
                engine, text, save_base, window=window, form=base_form, progress=progress
            )
        print(f"{save_base}: {save_base.stat().st_size:,} bytes")
        return
    with (
        opened_base(base, base_mode, model, options, window) as other,
        bar("mean divergence so far") as progress,
    ):
        window = window or getattr(other, "window", None)
        with opened(model, options, context=window) as engine:
            found = divergence.compare(engine, text, other, window=window, progress=progress)
    if as_json:
        print_json(found.summary())
    else:
        show(found.summary())


def opened_base(
    base: Path | None,
    base_mode: str | None,
    model: Path | None,
    options: dict[str, Any],
    window: int | None,
) -> AbstractContextManager:
    """What a model is compared with: an Engine, or distributions that were saved."""
    if base is not None and distributions.is_saved(base):
        if base_mode is not None:
            raise RequestError(
                f"--base-mode {base_mode}: {base} is no model, it was saved in a mode"
            )
        return nullcontext(distributions.Saved(base))
    asked = options | {"mode": base_mode or "exact", "cache_format": "F32"}
    if base is None and asked == options:
        raise RequestError(
            f"a model beside itself in {asked['mode']} mode: want --base or another --mode"
            " or --cache-format"
        )
    return opened(base or model, asked, context=window)


def show(found: dict[str, Any]) -> None:
    def pair(name: str, form: str = ".4f") -> str:
        return plus_minus(found[name], found[f"{name}_error"], form)

    print(f"{found['n_tokens']} tokens, chunks of {found['window']}")
    print(f"{'perplexity':20} {pair('perplexity')}")
    print(f"{'of the base':20} {pair('base_perplexity')}")
    print(f"{'ln of their ratio':20} {pair('ln_ratio', '.6f')}")
    print(f"{'KL divergence, nats':20} {pair('kl', '.3e')}")
    parts = {"median": "median", "90": "90 %", "99": "99 %", "max": "max"}
    spread = ", ".join(f"{word} {found[f'kl_{name}']:.3e}" for name, word in parts.items())
    print(f"{'':20} {spread}")
    print(f"{'same likeliest token':20} {pair('same_top')}")
    print(f"{'p of the text':20} {pair('delta_p', '+.6f')}, rms {found['delta_p_rms']:.6f}")


@command(
    'minengine embed "To be, or not to be" "That is the question"',
    'minengine embed "To be" --pooling last --json',
    'echo "To be" | minengine embed -',
)
@engine_options(*UNUSED, mode="exact")
def embed(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help='"-" reads stdin.')],
    model: ModelOption = None,
    pooling: Annotated[
        str,
        typer.Option(help=f"What becomes of a text's rows: {', '.join(POOLING)} (all of them)."),
    ] = "mean",
    normalize: Annotated[
        bool, typer.Option(help="Vectors of length 1, so that dot products are cosines.")
    ] = True,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """Texts as vectors, one a line: what the model knows of a text just before its head."""
    read_in = [sys.stdin.buffer.read() if text == "-" else text for text in texts]
    with opened(model, options) as engine:
        found = engine.embed(read_in, pooling=pooling, normalize=normalize)
        name, width = str(model or packaged_model()), engine.model.hparams.D
    if as_json:
        vectors = [rows.tolist() for rows in found]
        print_json({"model": name, "pooling": pooling, "width": width, "embeddings": vectors})
        return
    for rows in found:
        for row in np.atleast_2d(rows):
            print(" ".join(f"{x:.6g}" for x in row))
