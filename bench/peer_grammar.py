"""Are grammars right? The tokens that may come next, against llama.cpp's own, on random walks.

    python bench/peer_grammar.py MODEL.gguf --peer PEER/bin/python [--golden tests/golden]

For each grammar (those of ``minengine/grammars``, and GRAMMARS: one a construct) ``--walks`` walks
of ``--steps`` tokens that llama.cpp allows; before each token and after the last, the masks over
the whole vocabulary are compared. They must be equal but for what is known:

    silent   tokens that print nothing: llama.cpp matches the text of a control token as if it were
             printed; here it comes where a grammar names it, <think>, and nowhere else
    no utf8  tokens that with what came before are no beginning of UTF-8 (overlong, surrogates,
             past U+10FFFF): llama.cpp lets some by
    nul      tokens with a zero byte: there a C text ends
    half     tokens of half a character where any but a named one may come, !<7>: llama.cpp lets
             none come, so that no character is written that takes two tokens

``--golden`` writes what ``tests/minengine/test_grammar.py`` holds the engine to; MODEL must be the
packaged one then. Exits with 1 where masks differ otherwise. PEER: see ``peer_logits.py``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from peer import ask, parser

from minengine import gguf, grammar
from minengine.tokenizer import CONTROL, UNKNOWN, Tokenizer

FILES = sorted((Path(grammar.__file__).parent / "grammars").glob("*.gbnf"))
GRAMMARS = (
    'root ::= "yes" | "no" | "yes, and " "no"',
    'root ::= ""',
    'root ::= [a-z]* | [A-Z]+ "!"?',
    r'root ::= [^a-zA-Z\n]+ "\n" | "the" .*',
    "root ::= .{3} | .{5,6}",
    'root ::= "\\x41" [\\u00e0-\\u00ff] "\\U0001F600" | "é" [あ-ん]+ "x"',
    r"root ::= [é日😀]+ [^é日😀]",
    'root ::= ("a" ("b" ("c" | "d")* ){2,3} )+ "\\""',
    'root ::= a | b\na ::= "(" root ")" | c\nb ::= "[" root "]"\nc ::= "x"?',
    'root ::= # a comment\n ( "one " # another\n | "two " )+ |\n "three"',
    'root ::= [-a] [a-] [\\]\\[\\-] [^-] "\\t\\r\\\\"? ([0-9]{2} "."){0,2}',
    'root ::= ws ("the" ws)*\nws ::= " " ws | ',
    'root ::= "x" <[300]> ([a-z]+ | !<[301]>) "."',
    r"root ::= [ -~]{1,2000}",
    'root ::= p p?\np ::= "a" p "a" | "b" p "b" | ""',
)
KINDS = ("equal", "silent", "no utf8", "nul", "half")


def utf8_so_far(text: bytes) -> bool:
    """Is there a text that begins with these bytes?"""
    tails = (b"", *(bytes([b] * n) for b in (0x80, 0xBF) for n in (1, 2, 3)))
    return any((text + tail).decode("utf-8", "ignore").encode() == text + tail for tail in tails)


def differences(t: Tokenizer, said: bytes, mine: np.ndarray, theirs: np.ndarray) -> dict[int, str]:
    """The tokens in which two masks differ, and the kind; "differs" where it is not known."""
    kinds = {}
    for i in np.flatnonzero(mine != theirs).tolist():
        piece = t.bytes_of[i]
        if t.types[i] in (CONTROL, UNKNOWN) or not piece:
            kinds[i] = "silent" if theirs[i] else "differs"
        elif b"\0" in piece:
            kinds[i] = "nul"
        else:
            whole = utf8_so_far(said + piece) if theirs[i] else piece.decode("utf-8", "ignore")
            kinds[i] = "differs" if whole else "no utf8" if theirs[i] else "half"
    return kinds


def compare(t: Tokenizer, texts: list[str], peer: dict, n_walks: int) -> tuple[list, list, dict]:
    """For each grammar how many masks are of which kind and the slowest of ours; the walks: the
    number of the grammar, tokens, where their masks begin; of each mask the tokens that differ.
    """
    vocabulary = grammar.Vocabulary(t.bytes_of, t.ends, t.ids)
    rows, kept, at, found = [], [], 0, {}
    masks = np.unpackbits(peer["masks"], axis=1)[:, : len(t)].astype(bool)
    for n, taken in enumerate(peer["taken"].tolist()):
        if n % n_walks == 0:
            ours = grammar.Grammar(texts[n // n_walks])
            rows.append({"text": texts[n // n_walks], "slowest_s": 0.0})
        row, matcher, said = rows[-1], grammar.Matcher(ours, vocabulary), b""
        taken = [i for i in taken if i >= 0]
        for n_taken, i in enumerate([*taken, None]):
            began = time.perf_counter()
            mine = ours.allowed(matcher.state, vocabulary)
            row["slowest_s"] = max(row["slowest_s"], time.perf_counter() - began)
            kinds = found[at + n_taken] = differences(t, said, mine, masks[at + n_taken])
            for kind in set(kinds.values()) or {"equal"}:
                row[kind] = row.get(kind, 0) + 1
            if i is None or not mine[i]:  # not taken in UTF-8: there the walk ends for us
                break
            said += t.bytes_of[i]
            matcher.accept(i)
        kept.append([n // n_walks, taken[:n_taken], at])
        at += len(taken) + 1
    return rows, kept, found


def write_golden(
    folder: Path, texts: list[str], walks: list, found: dict, masks: np.ndarray
) -> None:
    known = np.zeros((len(masks), masks.shape[1] * 8), bool)
    for at, kinds in found.items():
        known[at, list(kinds)] = True
    path, walked = folder / "grammar.npz", json.dumps(walks)
    np.savez_compressed(
        path, grammars=np.array(texts), walks=walked, masks=masks, known=np.packbits(known, axis=1)
    )
    print(f"{path}: {len(masks)} masks, {path.stat().st_size:,} bytes")


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("model", type=Path)
    flags.add_argument("--walks", type=int, default=8)
    flags.add_argument("--steps", type=int, default=12)
    args = flags.parse_args()
    with gguf.open(args.model) as file:
        t = Tokenizer(file.metadata)
    texts = [f.read_text(encoding="utf-8") for f in FILES] + list(GRAMMARS)
    avoid = [i for i, piece in enumerate(t.bytes_of) if not piece or b"\0" in piece]
    avoid += [i for i, piece in enumerate(t.bytes_of) if len(piece) == 1 and piece >= b"\xf5"]
    avoid += sorted(t.ends)
    job = {"model": args.model, "grammars": texts, "walks": args.walks, "steps": args.steps}
    job |= {"avoid": avoid}
    peer = ask(args.peer, "peer_llamacpp_grammar.py", args.work, job)
    rows, walks, found = compare(t, texts, peer, args.walks)
    names = [f.name for f in FILES] + [repr(g) for g in GRAMMARS]
    print(f"{'':44} " + " ".join(f"{k:>8}" for k in (*KINDS, "differs", "slowest")))
    for name, row in zip(names, rows, strict=True):
        counts = " ".join(f"{row.get(k, 0):8}" for k in (*KINDS, "differs"))
        print(f"{name[:44]:44} {counts} {row['slowest_s'] * 1e3:5.0f} ms")
    if args.golden:
        write_golden(args.golden, texts, walks, found, peer["masks"])
    sys.exit(any(row.get("differs") for row in rows))


if __name__ == "__main__":
    main()
