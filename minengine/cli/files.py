"""Commands about a file: ``info``, ``tokens``, ``quantize``, ``selftest``."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from minengine import gguf, strips
from minengine import selftest as selftests
from minengine.cli.app import JsonOption, ModelOption, SpecialOption, command, print_json
from minengine.engine import BLOCK_SIZE, available_threads, packaged_model
from minengine.errors import EngineError, RequestError
from minengine.formats import FORMATS
from minengine.kvcache import BlockPool
from minengine.model import Model
from minengine.repacking import room
from minengine.requantize import NAMES, requantize
from minengine.tokenizer import Tokenizer


@command(
    "minengine info",
    "minengine info --model llama.gguf --tensors",
    "minengine info --context 8192 --cache-format F16",
    "minengine info --cpu",
    "minengine info --json",
)
def info(
    model: ModelOption = None,
    cpu: Annotated[
        bool, typer.Option("--cpu", help="Of this processor instead: which kernels it runs.")
    ] = False,
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
    context: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a sequence; the model's own otherwise.")
    ] = None,
    cache_format: Annotated[
        str, typer.Option(help=f"Of keys and values: {', '.join(FORMATS)}.")
    ] = "F32",
    as_json: JsonOption = False,
) -> None:
    """What is in a GGUF file: sizes, formats, metadata; no weight is read."""
    if cpu:
        print_processor(as_json)
        return
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
        found["memory"] = memory(file, context, cache_format)
    if as_json:
        print_json(found | {"metadata": metadata} | ({"tensors": directory} if tensors else {}))
        return
    formats = ", ".join(
        f"{n} x {name}" + ("" if name in FORMATS else " (not supported)")
        for name, n in found["formats"].items()
    )
    print(f"{path}: GGUF version {found['version']}, {found['bytes']:,} bytes")
    print(f"{found['n_parameters']:,} parameters in {len(directory)} tensors: {formats}")
    for name, value in found["memory"].items():
        print(f"{name:16}  " + (f"{value:,}" if isinstance(value, int) else one_line(value)))
    print()
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


def print_processor(as_json: bool) -> None:
    """Which variants of the integer product there are here, and which of them runs."""
    found = {
        "machine": platform.machine(),
        "processors": available_threads(),
        "runs": list(strips.runs()),
        "chosen": strips.CHOSEN,
        "forced": os.environ.get("MINENGINE_SIMD"),
        "asks": strips.ASKS,
    }
    if as_json:
        print_json(found)
        return
    why = "MINENGINE_SIMD says so" if found["forced"] else "the best of these"
    print(f"machine     {found['machine']}, {found['processors']} processors for this process")
    print(f"runs        {', '.join(found['runs'])}")
    print(f"chosen      {found['chosen']}: {why}")
    asked = {"kernels": "within the kernels", "all": "for blocks of every format"}
    print("asks ahead  " + asked.get(found["asks"], "for blocks of some formats"))
    print("for         " + ", ".join(name for name, f in FORMATS.items() if f.has_codes))


def memory(file: gguf.File, context: int | None, cache_format: str) -> dict[str, Any]:
    """What a sequence of ``context`` tokens needs besides the weights, or why this engine can't run
    the model.
    """
    if cache_format not in FORMATS:
        raise RequestError(f"--cache-format {cache_format}: there are {', '.join(FORMATS)}")
    try:
        model = Model.load(file)
        h = model.hparams
        n = min(context or h.context_length, h.context_length)
        cache = BlockPool.bytes_for(n, BLOCK_SIZE, h.n_layers, h.G, h.E, cache_format)
    except (EngineError, ValueError) as e:
        return {"cannot run": str(e)}
    n_windowed = sum(w > 0 for w in h.windows)
    seen = f"; {n_windowed} of them see {max(h.windows)} tokens" if n_windowed else ""
    return {
        "architecture": f"{h.architecture}, {h.n_layers} layers{seen}",
        "sizes": f"width {h.D}, {h.H} query and {h.G} key/value heads of {h.E}, "
        f"feed-forward {h.F}, {h.V:,} tokens",
        "context": f"{n} of {h.context_length} tokens",
        "weights bytes": sum(t.nbytes for t in file.tensors.values()),
        "repacked bytes": room(model),
        "cache bytes": cache,
        "cache format": cache_format,
    }


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
    "minengine quantize model-f32.gguf model-q4_k_m.gguf Q4_K_M",
    "minengine quantize model-f16.gguf model-q8_0.gguf --type Q8_0",
    "minengine quantize small.gguf twin.gguf F32",
)
def quantize(
    source: Annotated[Path, typer.Argument(help="A GGUF file.")],
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help=f"One of {', '.join(NAMES)}.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--type", help="The same as TYPE.")] = None,
) -> None:
    """Write a model again with its matrices in another format or mix of formats."""
    if (name is None) == (kind is None):
        raise RequestError(f"want one TYPE: {', '.join(NAMES)}")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        instead = requantize(
            source, target, name or kind,
            progress=lambda n, total: bar.update(task, completed=n, total=total),
        )  # fmt: skip
    for tensor, label in instead.items():
        print(f"{tensor}: {label}, for its rows are no whole number of blocks", file=sys.stderr)
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
            print(f"{verdict} {result.name:37} {result.what}", flush=True)
    n_failed = sum(not r.passed for r in results)
    if as_json:
        print_json({"passed": not n_failed, "results": [asdict(r) for r in results]})
    else:
        print(f"{len(results) - n_failed} passed, {n_failed} failed")
    if n_failed:
        raise SystemExit(1)
