"""Are chat templates right? Families against llama.cpp, templates of files against plain Jinja.

    python bench/peer_chat.py --peer PEER/bin/python [--count 1000] [--templates FOLDER]
        [--vocabularies FOLDER] [--golden tests/golden]

For each row of ``FAMILIES``: ``--count`` random conversations (any order of roles, white space at
the ends, empty contents, texts of control tokens inside), word for word what llama.cpp's built-in
template of that name writes. ``--templates`` has ``*.jinja`` files, such as llama.cpp's
``models/templates`` in the source distribution of llama-cpp-python: each must give the same text
with our followed strings as in plain Jinja, or the same refusal. ``--vocabularies`` has
``ggml-vocab-*.gguf`` files, see ``peer_tokenizer.py``: conversations whose contents have no special
token must get the ids that llama.cpp gives the whole text. Exits with 1 where something differs.
PEER is an environment with llama-cpp-python, see ``peer_logits.py``.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import sys
from pathlib import Path

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from peer import ask, parser, store
from peer_tokenizer import ask_peer as ask_tokenizer

from minengine import gguf, render
from minengine.chat import ChatTemplate
from minengine.families import FAMILIES
from minengine.tokenizer import Tokenizer

ROLES = ("system", "user", "assistant", "tool")
BITS = (
    "Hello", " ", "\n", "\t", "  two spaces  ", "é", "日本", "😀", "<|im_end|>", "</s>", "[/INST]",
    "<end_of_turn>", "<|eot_id|>", "{{ x }}", "{% if %}", "'", '"', "\\n", "<think>", "</think>",
    "\u00a0", "\u3000", "\v", "a" * 50,
)  # fmt: skip
OWN = {"bos_token": "<s>", "eos_token": "</s>"}


def conversation(rng: random.Random, strict: bool = False) -> list[dict]:
    """Random messages; ``strict`` ones take turns, for templates that demand it."""
    n = rng.randrange(1, 7)
    if strict:
        roles = ["system"] * rng.randrange(2) + ["user", "assistant"] * n
        roles = roles[: -1 if rng.random() < 0.5 else None]
    else:
        roles = [rng.choice(ROLES) for _ in range(n)]
    texts = ("".join(rng.choice(BITS) for _ in range(rng.randrange(6))) for _ in roles)
    return [{"role": r, "content": t} for r, t in zip(roles, texts, strict=True)]


def cases(count: int, seed: int) -> list[dict]:
    """``count`` conversations for each family that llama.cpp has."""
    rng = random.Random(seed)
    return [
        {
            "name": row.name,
            "messages": conversation(rng, strict=rng.random() < 0.5),
            "add_generation_prompt": rng.random() < 0.7,
        }
        for row in FAMILIES
        if row.markers
        for _ in range(count)
    ]


def ours(case: dict) -> str:
    template = next(row.template for row in FAMILIES if row.name == case["name"])
    given = {k: case[k] for k in ("messages", "add_generation_prompt")}
    return str.__str__(render.render(template, OWN, given))


def ask_peer(python: str, work: Path, found: list[dict]) -> list[str | None]:
    return json.loads(str(ask(python, "peer_llamacpp_chat.py", work, found)["texts"]))


def plain(template: str, given: dict) -> str:
    """What Jinja alone makes of a template, as Hugging Face sets it up."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, render.Generation]
    )
    # "safe" as a mark for HTML would have what is added to it escaped; here nothing is HTML
    environment.filters |= {"tojson": render.tojson, "safe": str}
    environment.globals |= {
        "raise_exception": render.raise_exception, "strftime_now": render.strftime_now,
    }  # fmt: skip
    return environment.from_string(template).render(**OWN, **given)


def outcome(function, *args) -> str:
    """A text, or the refusal of a template."""
    try:
        return str.__str__(function(*args))
    except Exception as e:  # noqa: BLE001 - a template may raise whatever Python can
        return f"{type(e).__name__}: {e}"


def compare_files(folder: Path, count: int) -> int:
    """Templates of files whose text differs between followed strings and plain Jinja."""
    failed, rng = 0, random.Random(3)
    tools = [{"type": "function", "function": {"name": "f", "description": "é", "parameters": {}}}]
    for path in sorted(folder.glob("*.jinja")):
        template, differ, refused = path.read_text(encoding="utf-8"), 0, 0
        for n in range(count):
            given = {
                "messages": conversation(rng, strict=n % 4 > 0), "add_generation_prompt": n % 2 > 0,
                "tools": tools if n % 3 == 0 else None, "documents": None,
            }  # fmt: skip
            mine = outcome(lambda t, g: render.render(t, OWN, g), template, given)
            theirs = outcome(plain, template, given)
            differ += mine != theirs
            refused += mine.split(":")[0].endswith("Error")
            if mine != theirs and differ == 1:
                print(f"  {path.name}:\n    got  {mine!r}\n    want {theirs!r}")
        failed += differ
        print(f"{path.name:60} {count} conversations, {refused} refused, {differ} differ")
    return failed


def compare_ids(folder: Path, count: int, python: str, work: Path) -> int:
    """Conversations whose ids differ from llama.cpp's of the whole text."""
    failed, files, asked = 0, {}, []
    for name in ("llama-bpe", "qwen2", "phi-3"):
        files[name] = folder / f"ggml-vocab-{name}.gguf"
    rng = random.Random(4)
    with contextlib.ExitStack() as stack:
        for name, path in files.items():
            file = stack.enter_context(gguf.open(path))
            template = ChatTemplate(file.metadata, Tokenizer(file.metadata))
            for _ in range(count):
                messages = conversation(rng, strict=True)
                for m in messages:  # what llama.cpp would make a token of
                    m["content"] = re.sub(r"<\|.*?\|>|</?[st]\w*>", "", m["content"])
                parts = template.render(messages)
                text = "".join(t for t, _ in parts)
                asked.append((name, text, template.tokenizer.encode_parts(parts)))
    theirs = ask_tokenizer(python, work, files, [text.encode() for _, text, _ in asked])
    for n, (name, text, got) in enumerate(asked):
        want = theirs[name]["01"][n]
        failed += got != want
        if got != want and failed <= 3:
            print(f"  {name}: {text!r}\n    got  {got}\n    want {want}")
    print(f"{len(asked)} conversations with {', '.join(files)}: {failed} differ in their ids")
    return failed


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--count", type=int, default=1000)
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--templates", type=Path, help="a folder of *.jinja files")
    flags.add_argument("--vocabularies", type=Path, help="a folder of ggml-vocab-*.gguf files")
    args = flags.parse_args()
    found, failed = cases(args.count, args.seed), 0
    counts = {row.name: [0, 0] for row in FAMILIES if row.markers}
    for case, want in zip(found, ask_peer(args.peer, args.work, found), strict=True):
        differs = ours(case) != want
        counts[case["name"]][differs] += 1
        failed += differs
        if differs and counts[case["name"]][1] == 1:
            print(f"{case['name']}: {case['messages']}\n  got  {ours(case)!r}\n  want {want!r}")
    for name, (equal, differ) in counts.items():
        print(f"{name:20} {equal:5} equal  {differ:5} differ")
    if args.golden:
        small = cases(12, seed=7)
        rows = [
            c | {"text": t}
            for c, t in zip(small, ask_peer(args.peer, args.work, small), strict=True)
        ]
        store(args.golden / "chat.json", rows, f"{len(rows)} conversations, ")
    if args.templates:
        failed += compare_files(args.templates, count=40)
    if args.vocabularies:
        failed += compare_ids(args.vocabularies, args.count, args.peer, args.work)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
