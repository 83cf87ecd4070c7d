"""The command ``serve-bench``: many users at once, simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

import minengine.workload as workload
from minengine.cli.app import JsonOption, ModelOption, command, print_json
from minengine.cli.options import engine_options, opened
from minengine.errors import RequestError


@command(
    "minengine serve-bench",
    "minengine serve-bench --users 20 --rate 30 --queue fair",
    "minengine serve-bench --prefix 0 --write trace.jsonl",
    "minengine serve-bench trace.jsonl --blocks 64 --eviction lfu --json",
)
@engine_options(repack=True)
def serve_bench(
    trace: Annotated[
        Path | None, typer.Argument(help="A trace, JSON lines; drawn from the options otherwise.")
    ] = None,
    model: ModelOption = None,
    requests: Annotated[int, typer.Option(min=1, help="Requests to draw.")] = 64,
    users: Annotated[int, typer.Option(min=1, help="Users who send them.")] = 8,
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 8.0,
    prompt: Annotated[str, typer.Option(help="Tokens of a prompt, LEAST:MOST.")] = "16:64",
    answer: Annotated[str, typer.Option(help="Tokens of an answer, LEAST:MOST.")] = "16:48",
    prefixes: Annotated[int, typer.Option(min=0, help="Texts that prompts begin with.")] = 2,
    prefix: Annotated[int, typer.Option(min=0, help="Tokens of such a text.")] = 96,
    seed: Annotated[int, typer.Option(min=0, help="Of the trace and the token ids.")] = 0,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the trace to a file and stop.")
    ] = None,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """Many users at once: run a trace of requests and print throughput, waiting times, hits.

    The clock is simulated: it moves by what each pass took and skips idle time.

    A line of a trace: {"at": 0.25, "user": "ann", "n_prompt": 40, "n_answer": 20}

    and "prefix": 0, "n_prefix": 96 where prompts begin alike.
    """
    if trace is None:
        lengths = {"prompt": bounds("--prompt", prompt), "answer": bounds("--answer", answer)}
        found = workload.synthetic(
            n_requests=requests, n_users=users, rate=rate, n_prefixes=prefixes, n_prefix=prefix,
            seed=seed, **lengths,
        )  # fmt: skip
    else:
        found = workload.read(trace)
    if write is not None:
        workload.write(write, found)
        print(f"{write}: {len(found)} requests")
        return
    asked = dict(options)
    figures = run(model, found, seed, options)
    if as_json:
        print_json(figures | {"options": asked})
    else:
        show(figures)


def run(
    model: Path | None, requests: list[workload.Request], seed: int, options: dict[str, Any]
) -> dict[str, Any]:
    """The figures of a trace, with a bar while it runs."""
    console = Console(stderr=True)
    with (
        opened(model, options) as engine,
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("requests", total=None)
        return workload.simulate(
            engine, requests, seed=seed,
            progress=lambda n, total: bar.update(task, completed=n, total=total),
        )  # fmt: skip


def bounds(flag: str, text: str) -> tuple[int, int]:
    """``"16:64"`` -> (16, 64), ``"16"`` -> (16, 16)."""
    try:
        low, _, high = text.partition(":")
        return int(low), int(high or low)
    except ValueError:
        raise RequestError(f"{flag} {text}: want LEAST:MOST, such as 16:64") from None


def show(f: dict[str, Any]) -> None:
    """The figures as tables."""
    print(f"{f['n_requests']} requests, {f['prompt_tokens']} prompt and {f['answer_tokens']} answer"
          f" tokens, {f['n_passes']} passes in {f['busy_s']:.2f} s")  # fmt: skip
    print(f"throughput          {f['tokens_per_s']:8.0f} answer tokens/s,"
          f" {f['mean_running']:.1f} sequences in a pass")  # fmt: skip
    names = {"first_token_s": "time to first", "between_tokens_s": "between tokens"}
    for key, name in (names | {"whole_answer_s": "whole answer"}).items():
        p50, p95, most = (1000 * f[key][k] for k in ("p50", "p95", "max"))
        print(f"{name:18}  {p50:8.1f} ms median, {p95:.1f} ms in 95 %, {most:.1f} ms at most")
    print(f"prefixes found      {100 * f['hit_rate']:8.1f} % of blocks looked for,"
          f" {f['found_tokens']} of {f['prompt_tokens']} prompt tokens")  # fmt: skip
    print(f"cache               {f['peak_blocks']:8} of {f['n_blocks']} blocks at most,"
          f" {f['evicted_blocks']} evicted, {f['preemptions']} preemptions")  # fmt: skip
    print(f"fairness            {f['fairness']:8.3f} (Jain's index of the users' time a token)")
    table = Table("user", "requests", "answer tokens", "ms a token", "ms to first", box=None)
    for user, row in f["users"].items():
        table.add_row(
            escape(user), str(row["requests"]), str(row["answer_tokens"]),
            f"{1000 * row['s_per_token']:.1f}", f"{1000 * row['first_token_s']:.1f}",
        )  # fmt: skip
    Console(width=100).print(table)
