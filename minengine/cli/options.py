"""Flags that several commands have, in panels: of the engine, of answers, of guesses ahead.

Owns: names, defaults and help of these, and what the library calls them. Must not know: any
command. Read before: ``app.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from minengine.cli.app import biases, grammar_of, sampling_options
from minengine.engine import BLOCK_SIZE, DRY_BREAKERS, Engine
from minengine.errors import RequestError
from minengine.eviction import EVICTION, TOKEN_EVICTION
from minengine.graph import MODES
from minengine.scheduler import QUEUES
from minengine.speculation import DraftModel, PromptLookup


@dataclass(frozen=True)
class Flag:
    """A flag as a command gets it: ``name`` is also ``--name``, but for ``flags``."""

    name: str
    form: Any
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    minimum: int | None = None


def add_flags(
    function: Callable[..., None], flags: tuple[Flag, ...], panel: str | None
) -> Callable[..., None]:
    """Give a command flags, in place of its ``**options``."""
    signature, kind = inspect.signature(function, eval_str=True), inspect.Parameter.KEYWORD_ONLY
    added = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    for f in flags:
        names = f.flags or (f"--{f.name.replace('_', '-')}",)
        shown = f.default not in (None, False, "", ())
        said = rf"{f.help} \[default: {f.default}]" if shown and f.form is not bool else f.help
        option = typer.Option(
            *names, help=said, min=f.minimum, show_default=False, rich_help_panel=panel
        )
        added.append(
            inspect.Parameter(f.name, kind, default=f.default, annotation=Annotated[f.form, option])
        )
    function.__signature__ = signature.replace(parameters=added)
    function.__annotations__ = {p.name: p.annotation for p in added}
    return function


def engine_options(*without: str, **defaults: Any) -> Callable:
    """The flags of ``ENGINE``, but for some and with other defaults; ``opened`` makes an engine of
    them.
    """
    known = tuple(replace(f, default=defaults.get(f.name, f.default)) for f in ENGINE)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        plain = tuple(f for f in known[:N_PLAIN] if f.name not in without)
        cache = tuple(f for f in known[N_PLAIN:] if f.name not in without)
        return add_flags(add_flags(function, plain, None), cache, "Cache")

    return decorate


def opened(model: Path | None, options: dict[str, Any], **more: Any) -> Engine:
    """The engine that the flags describe; they are taken out of ``options``."""
    names = [f.name for f in ENGINE if f.name in options]
    return Engine(model, **{name: options.pop(name) for name in names}, **more)


def answer_options(function: Callable[..., None]) -> Callable[..., None]:
    """The flags of answers: sampling, grammars, long texts, guesses; see ``answer_of``."""
    for flags, panel in ((DRAFTS, "Guesses ahead"), (CELLS, "Cache"), (GRAMMAR, "Sampling")):
        function = add_flags(function, flags, panel)
    return sampling_options(function)


@contextmanager
def answer_of(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What ``Engine.sequence`` takes, of the flags of ``answer_options``; a draft model is open
    meanwhile. Errors: ``RequestError`` for flags that exclude each other.
    """
    found = dict(options)
    files = {f"--{f.name.replace('_', '-')}": found.pop(f.name) for f in GRAMMAR[:4]}
    found["grammar"] = grammar_of(files)
    found["penalize_prompt"] = not found.pop("no_penalize_prompt")
    found["logit_bias"] = biases(found["logit_bias"])
    found["dry_breakers"] = found["dry_breakers"] or DRY_BREAKERS
    draft_model, n_draft, lookup = (found.pop(f.name) for f in DRAFTS)
    if draft_model is not None and lookup:
        raise RequestError("--draft-model and --lookup: want one of them")
    with ExitStack() as stack:
        if draft_model is not None:
            found["drafter"] = DraftModel(stack.enter_context(Engine(draft_model)), n_draft)
        elif lookup:
            found["drafter"] = PromptLookup(n_draft)
        yield found


N_PLAIN = 3  # of the flags below; the others are about the cache
ENGINE = (
    Flag("n_threads", int | None, None, "Threads; all processors otherwise.",
         ("--threads", "-t"), 1),
    Flag("mode", str, "fast", f"{' or '.join(MODES)}: activations rounded to 8 bits in products."),
    Flag("repack", bool, False, "Copy the weights first: as much memory again, faster tokens.",
         ("--repack/--no-repack",)),
    Flag("context", int | None, None, "Most tokens of a text; the model's or 4096 otherwise.",
         minimum=1),
    Flag("cache_format", str, "F32", "Of keys and values: F32, F16, Q8_0, ..."),
    Flag("n_blocks", int | None, None, "Blocks; room for four texts otherwise.", ("--blocks",), 1),
    Flag("block_size", int, BLOCK_SIZE, "Tokens of a block.", minimum=1),
    Flag("n_batch", int, 256, "The most tokens of a pass.", ("--batch",), 1),
    Flag("eviction", str, "lru", f"Of blocks nobody holds: {', '.join(EVICTION)}."),
    Flag("share_prefixes", bool, True, "Find what texts begin with in the cache.",
         ("--share/--no-share",)),
    Flag("queue", str, "fcfs", f"Who is next: {' or '.join(QUEUES)}."),
)  # fmt: skip

CELLS = (
    Flag("token_eviction", str | None, None,
         f"What a text longer than its cells forgets: {', '.join(TOKEN_EVICTION)}."),
    Flag("n_cells", int | None, None, "Tokens that stay stored; the context otherwise.",
         ("--cells",), 2),
    Flag("n_sinks", int, 4, "First tokens that 'sinks' keeps.", ("--sinks",), 0),
)  # fmt: skip

DRAFTS = (
    Flag("draft_model", Path | None, None, "A smaller model of the same vocabulary that guesses."),
    Flag("draft", int, 4, "Tokens to guess at once.", minimum=1),
    Flag("lookup", bool, False, "Guess what followed the same words before."),
)

GRAMMAR = (
    Flag("grammar", str | None, None, "A grammar (GBNF) that the whole text matches."),
    Flag("grammar_file", Path | None, None, "The same, from a file."),
    Flag("json_schema", str | None, None, "A JSON schema that the text is valid under."),
    Flag("json_schema_file", Path | None, None, "The same, from a file."),
    Flag("no_penalize_prompt", bool, False, "Penalties look back at the answer alone."),
)
