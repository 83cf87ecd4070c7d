"""The frame of the command line: the app, options many commands have, exceptions as exit codes.

Owns: how a command is registered and how it ends. Must not know: any command. A command stands in
one of the files beside this one and is registered by ``@command``; ``main.py`` imports them all.

Exit codes: 0 done; 1 a selftest failed; 2 a wrong argument, or an error of the engine, said in one
line; 130 interrupted (Ctrl-C); 141 whoever read the output went away. Results go to stdout,
everything about them to stderr.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from minengine.errors import EngineError, RequestError
from minengine.json_schema import to_gbnf
from minengine.sampling import PARAMETERS, SAMPLERS

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

SAMPLING = {"rich_help_panel": "Sampling"}
ModelOption = Annotated[
    Path | None, typer.Option("--model", "-m", help="A GGUF file; the packaged model otherwise.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]
SpecialOption = Annotated[
    bool, typer.Option("--special", help="Texts of control tokens, such as </s>, are those tokens.")
]


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
    """Give a command one flag for each of ``PARAMETERS``, in place of its ``**sampling``."""
    signature = inspect.signature(function, eval_str=True)
    flags = []
    for row in PARAMETERS.values():
        flag = f"--{row.name.replace('_', '-')}"
        # written here, for typer gives each default a line of its own
        said = row.help if row.type is bool else rf"{row.help} \[default: {row.default}]"
        option = typer.Option(flag, help=said, show_default=False, **SAMPLING)
        kind, annotation = inspect.Parameter.KEYWORD_ONLY, Annotated[row.type, option]
        flags.append(inspect.Parameter(row.name, kind, default=row.default, annotation=annotation))
    steps = f"The steps in their order, otherwise {'; '.join(row.name for row in SAMPLERS)}."
    more = (
        ("samplers", "--samplers", str | None, None, "STEP;STEP", steps),
        ("logit_bias", "--logit-bias", list[str], (), "ID=NUMBER", "Added to a logit; -inf bans."),
        ("dry_breakers", "--dry-breaker", list[str], (), "TEXT",
         """DRY's passages end here; otherwise at line ends and : " *."""),
    )  # fmt: skip
    for name, flag, form, default, metavar, said in more:
        option = typer.Option(flag, metavar=metavar, help=said, **SAMPLING)
        annotation = Annotated[form, option]
        flags.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
    kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    function.__signature__ = signature.replace(parameters=[*kept, *flags])
    function.__annotations__ = {p.name: p.annotation for p in [*kept, *flags]}
    return function


def grammar_of(given: dict[str, str | Path | None]) -> str | None:
    """The grammar of the one option that was given: "--grammar" and "--json-schema" are texts, both
    may be in a file. Errors: RequestError for more than one, or for a file that is no text.
    """
    found = {flag: value for flag, value in given.items() if value is not None}
    if len(found) > 1:
        raise RequestError(f"{' and '.join(found)}: want one of them")
    for flag, text in found.items():
        if isinstance(text, Path):
            try:
                text = text.read_text(encoding="utf-8")
            except UnicodeDecodeError as e:
                raise RequestError(f"{text}: byte {e.start} is not UTF-8") from None
        return to_gbnf(text) if "schema" in flag else text
    return None


def print_json(found: dict[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False, indent=1))


def biases(texts: list[str]) -> dict[int, float]:
    """``["15=-inf"]`` -> {15: -inf}. Errors: RequestError names what is no such pair."""
    found = {}
    for text in texts:
        token, _, value = text.partition("=")
        try:
            found[int(token)] = float(value)
        except ValueError:
            raise RequestError(f"--logit-bias {text}: want ID=NUMBER, such as 15=-inf") from None
    return found
