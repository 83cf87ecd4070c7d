"""The untrusted side of chat templates: a process that renders Jinja, and in which nothing matters.

Owns: the environment that templates expect, the record of which characters the caller gave, the
limits of the process. Must not know: anything of ours (it imports nothing), models, tokens. Read
before: ``chat.py``, which starts it.

A template comes with a model, so it is a stranger's program. It runs in Jinja's immutable sandbox,
which hides attributes that lead to Python's insides, and in a process of its own: started as
``python -I render.py SECONDS``, it reads one request a line from stdin and answers with one line.
``LIMITS`` bounds its memory and forbids it to open files; a request that takes more than SECONDS of
processor time ends it, and no template can catch that.

A text of the caller must never become a control token, whatever a template does with it: trims it,
cuts it, joins it, writes it as JSON. So such texts are ``Traced``: they carry, character by
character, where they came from, and the answer has it. What is not followed exactly counts as the
caller's as a whole.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import TemplateError, TemplateSyntaxError, Undefined, nodes, pass_environment
from jinja2.compiler import CodeGenerator
from jinja2.ext import Extension, loopcontrols
from jinja2.filters import make_attrgetter
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

LIMITS = {  # of the process: bytes of memory, files it may open beyond the three it has
    resource.RLIMIT_AS: 512 << 20,
    resource.RLIMIT_NOFILE: 3,
    resource.RLIMIT_FSIZE: 0,
}
# what Jinja and Python import when they first need it, and no file can be opened any more
LATER = ("encodings.unicode_escape", "jinja2.debug", "pprint")
LONGEST = 16 << 20  # characters of a rendered text
LONGEST_ERROR = 500
# Names that templates build markers from: "<|" + message.role + "|>" is Phi-3's "<|user|>". They
# count as the template's own; any other role is the caller's text.
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function", "ipython"})


def main() -> None:
    """Answer requests until stdin closes."""
    datetime.now().astimezone()  # the time zone is read from a file, while one may be opened
    for module in LATER:
        importlib.import_module(module)
    for what, most in LIMITS.items():
        hard = resource.getrlimit(what)[1]  # that of whoever started us may be lower
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    cpu_s = float(sys.argv[1])
    for line in sys.stdin.buffer:
        # of the process, in whatever code it is: the default action of SIGPROF is to end it
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        answer = json.dumps(answer_to(line)).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def answer_to(line: bytes) -> dict[str, Any]:
    """``{"parts": [[text, given], ...]}`` for a request, or ``{"error": why}``."""
    try:
        request = json.loads(line)
        return {"parts": parts(render(request["template"], request["own"], request["given"]))}
    except TemplateSyntaxError as e:
        why = f"line {e.lineno}: {e.message}"
    except TemplateError as e:
        why = e.message or type(e).__name__
    except MemoryError:
        why = f"more than {LIMITS[resource.RLIMIT_AS] >> 20} MiB of memory"
    except RecursionError:
        why = "nested too deeply"
    except Exception as e:  # noqa: BLE001  - a template may raise whatever Python can
        why = f"{type(e).__name__}: {e}"
    return {"error": why[:LONGEST_ERROR]}


def render(template: str, own: dict[str, Any], given: dict[str, Any]) -> str:
    """A template's text; the values of ``given`` are the caller's, those of ``own`` are ours."""
    text = compiled(template).render(**own, **traced(given, everything=False))
    if len(text) > LONGEST:
        raise TemplateError(f"a text of {len(text)} characters, want at most {LONGEST}")
    return text


def parts(text: str) -> list[tuple[str, bool]]:
    """A text cut where it changes between the template's and the caller's."""
    runs = re.finditer(rb"\x00+|\x01+", given_of(text))
    return [(text[run.start() : run.end()], run[0][0] == 1) for run in runs]


# A text that knows where it came from -----------------------------------------------------------

# no text of the caller's is inside these
PLAIN = (type(None), bool, int, float, Undefined, jinja2.Environment, EvalContext, Context)


class Traced(str):
    """A text and, for each of its characters, 1 where the caller gave it and 0 where not."""

    __slots__ = ("_given",)

    def __new__(cls, text: str, given: bytes | None = None) -> Traced:
        self = super().__new__(cls, text)
        self._given = b"\1" * len(text) if given is None else given
        return self

    def __str__(self) -> str:
        return self

    def __add__(self, other: str) -> str:
        return concat((self, other)) if isinstance(other, str) else NotImplemented

    def __radd__(self, other: str) -> str:
        return concat((other, self)) if isinstance(other, str) else NotImplemented

    def __getitem__(self, at: int | slice) -> Traced:
        given = self._given[at]
        return Traced(super().__getitem__(at), given if isinstance(at, slice) else bytes([given]))

    def __iter__(self) -> Iterator[Traced]:
        return (self[i] for i in range(len(self)))

    def lstrip(self, chars: str | None = None) -> Traced:
        return self[len(self) - len(super().lstrip(chars)) :]

    def rstrip(self, chars: str | None = None) -> Traced:
        return self[: len(super().rstrip(chars))]

    def strip(self, chars: str | None = None) -> Traced:
        return self.lstrip(chars).rstrip(chars)

    def split(self, sep: str | None = None, maxsplit: int = -1) -> list[Traced]:
        return self._found(super().split(sep, maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: int = -1) -> list[Traced]:
        return self._found(super().rsplit(sep, maxsplit), sep)

    def _found(self, pieces: list[str], sep: str | None) -> list[Traced]:
        """The pieces of a split where they lie in this text; white space is found between them."""
        out, at = [], 0
        for piece in pieces:
            at = self.find(piece, at)
            out.append(self[at : at + len(piece)])
            at += len(piece) + len(sep or "")
        return out

    def replace(self, old: str, new: str, count: int = -1) -> str:
        if not old:  # between all characters: not worth following
            return Traced(super().replace(old, new, count))
        return joined(self.split(old, count), new)


def given_of(text: str) -> bytes:
    """1 for each character that the caller gave; a plain text is the template's."""
    return text._given if isinstance(text, Traced) else bytes(len(text))


def concat(texts: Iterable[str]) -> str:
    """Texts one after the other, plain if all of them are."""
    texts = list(texts)
    joint = "".join(texts)
    if not any(isinstance(t, Traced) for t in texts):
        return joint
    return Traced(joint, b"".join(map(given_of, texts)))


def joined(texts: Iterable[Any], separator: str = "") -> str:
    """``separator.join(texts)``, followed."""
    texts = map(printed, texts)
    return concat(t for n, text in enumerate(texts) for t in ((separator, text) if n else (text,)))


def printed(value: Any) -> str:
    """What ``{{ value }}`` prints; of anything but a text or a number all may be the caller's."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, PLAIN) else Traced(str(value))


def traced(value: Any, everything: bool = True) -> Any:
    """``value`` with every text in it the caller's; ``everything`` False leaves the outer keys."""
    if isinstance(value, str):
        return Traced(value)
    if isinstance(value, dict):
        return {
            traced(k) if everything else k: v if k == "role" and v in ROLES else traced(v)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(map(traced, value))
    return value


def has_given(value: Any) -> bool:
    """Whether any text in a value is, in part, the caller's."""
    if isinstance(value, str):
        return any(given_of(value))
    if isinstance(value, dict):
        return any(has_given(v) for pair in value.items() for v in pair)
    if isinstance(value, (list, tuple)):
        return any(map(has_given, value))
    return not isinstance(value, PLAIN)


def made_from(result: Any, *sources: Any) -> Any:
    """What a function that we can't follow made of ``sources``: the caller's if they are.

    One that follows by itself returns a ``Traced``, and that stays. Markup, which would escape what
    is added to it, becomes plain text.
    """
    if isinstance(result, str) and type(result) not in (str, Traced):
        result = str.__str__(result)
    if isinstance(result, Traced) or not has_given(sources):
        return result
    return traced(result)


# The environment --------------------------------------------------------------------------------

# Filters that return what they were given, whole; all others make new texts.
KEEPING = frozenset({
    "attr", "batch", "default", "d", "dictsort", "first", "groupby", "items", "join", "last",
    "list", "map", "max", "min", "random", "reject", "rejectattr", "reverse", "select",
    "selectattr", "slice", "sort", "unique",
})  # fmt: skip


class Generator(CodeGenerator):
    """Jinja's, but that ``a ~ b`` is followed too."""

    def visit_Concat(self, node: nodes.Concat, frame: Any) -> None:  # noqa: N802
        self.write("environment.joined((")
        for argument in node.nodes:
            self.visit(argument, frame)
            self.write(", ")
        self.write("))")


class Environment(ImmutableSandboxedEnvironment):
    """What Hugging Face's chat templates are written for, with texts followed."""

    code_generator_class = Generator
    intercepted_binops = frozenset({"%", "*"})
    concat = staticmethod(concat)
    joined = staticmethod(joined)

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation],
            finalize=printed,
        )  # fmt: skip
        self.filters |= {"tojson": tojson, "join": join}
        self.filters = {
            name: f if name in KEEPING else following(f) for name, f in self.filters.items()
        }
        del self.globals["lipsum"]
        self.globals |= {"raise_exception": raise_exception, "strftime_now": strftime_now}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        return made_from(super().call_binop(context, operator, left, right), left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """A call in a template; the methods of texts make new texts, other functions do not."""
        owner = getattr(inspect.unwrap(__obj), "__self__", None) if callable(__obj) else None
        if isinstance(owner, str) and __obj.__name__ == "join":
            return joined(*args, owner)
        result = super().call(__context, __obj, *args, **kwargs)
        return made_from(result, owner, args, kwargs) if isinstance(owner, (str, bytes)) else result


class Generation(Extension):
    """``{% generation %}...{% endgeneration %}`` marks what a model says, for training."""

    tags = frozenset({"generation"})

    def parse(self, parser: Any) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def following(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result is the caller's where its arguments are."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return made_from(function(*args, **kwargs), args, kwargs)

    return run


@pass_environment
def join(environment: Any, values: Iterable[Any], d: str = "", attribute: Any = None) -> str:
    if attribute is not None:
        values = map(make_attrgetter(environment, attribute), values)
    return joined(values, d)


def tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None,
    sort_keys: bool = False,
) -> str:  # fmt: skip
    """JSON as it is, not escaped for HTML as Jinja's own does."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def raise_exception(message: str) -> None:
    raise TemplateError(str.__str__(message))


def strftime_now(form: str) -> str:
    return made_from(datetime.now().strftime(form), form)


@functools.lru_cache(maxsize=4)
def compiled(template: str) -> Any:
    return Environment().from_string(template)


if __name__ == "__main__":
    main()
