"""From the trained F32 file to the packaged Q8_0 file and its model card, every number computed.

A development tool, never imported by the package. After ``train.py`` has written ``build/tiny``:

    python minengine/models/pack.py build/tiny tinyshakespeare.txt
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from pathlib import Path

import numpy as np

from minengine import gguf
from minengine.engine import Engine
from minengine.formats import FORMATS
from minengine.requantize import requantize

HERE = Path(__file__).parent
PACKAGED = HERE / "tiny-shakespeare.gguf"
SHIPPED = "Q8_0"
TARGET = 1.47  # nats per character of the 10.6 M character model of nanoGPT, trained on a GPU
PROMPT = "ROMEO:\n"

CARD = """# tiny-shakespeare

A llama of {parameters:,} parameters that writes plays, made to be read, run and taken apart.

| | |
|---|---|
| architecture | llama: RMSNorm, RoPE on pairs (2i, 2i+1), grouped attention, SwiGLU, tied head |
| sizes | D {D}, L {L}, H {H}, G {G}, E {E}, F {F}, V {V}, context {S} |
| vocabulary | byte pairs in SentencePiece's manner with byte fallback, {characters:.2f} characters a token |
| file | `tiny-shakespeare.gguf`, every matrix {shipped}, {megabytes:.1f} MB |
| training | `train.py` with its defaults (seed {seed}); CPU, bfloat16 autocast; curve in `loss.csv` |
| text | Shakespeare's plays, {n_text:,} characters, the first 90 % for vocabulary and weights |
| licence | MIT; the text is in the public domain |

## Held-out loss

On the last 10 % of the text ({n_held:,} characters), which neither the vocabulary nor the weights have seen.
Windows of {S} tokens that begin with BOS and overlap; each token is scored once, with at least S minus stride tokens before it (fewer at the very start).
For comparison: nanoGPT's character model of 10.6 M parameters, trained on a GPU, has {target} nats per character.

{perplexities}

The table is what `minengine perplexity` computes on each file ({shipped} is the one that ships).

## Training

{curve}

## What it writes

`minengine generate {prompt!r} --max-tokens 150 --seed 7` with {shipped}:

```
{sample}
```

It knows the look of a play and no more; what it says is not to be trusted.
"""


def pack(args: argparse.Namespace) -> None:
    text = args.text.read_text(encoding="utf-8")
    held = text[int(len(text) * 0.9) :]
    source = args.trained / "tiny-shakespeare-f32.gguf"
    rows = ["| format | stride | nats per character | nats per token | perplexity per token |"]
    rows.append("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as d:
        for name in FORMATS:
            path = Path(d, f"{name}.gguf")
            requantize(source, path, name)
            strides = (512, 256, 128) if name == SHIPPED else (256,)
            with Engine(path, mode="exact") as engine:
                for stride in strides:
                    p = engine.perplexity(held, stride=stride)
                    rows.append(
                        f"| {name} | {stride} | {p.nats_per_character:.4f} | "
                        f"{p.nats_per_token:.4f} | {p.perplexity:.3f} |"
                    )
                    print(rows[-1], flush=True)
        shutil.copyfile(Path(d, f"{SHIPPED}.gguf"), PACKAGED)
    shutil.copyfile(args.trained / "loss.csv", HERE / "loss.csv")
    (HERE / "CARD.md").write_text(card(text, held, rows, args.seed), encoding="utf-8")


def card(text: str, held: str, rows: list[str], seed: int) -> str:
    """The card's text, from the packaged file itself."""
    with gguf.open(PACKAGED) as file:
        parameters = sum(int(np.prod(t.shape)) for t in file.tensors.values())
    with Engine(mode="exact") as engine:
        h = engine.model.hparams
        ids = engine.tokenize(held, add_special=False)
        sample = PROMPT + "".join(engine.generate(PROMPT, max_tokens=150, seed=7))
        sizes = {"D": h.D, "L": h.n_layers, "H": h.H, "G": h.G, "E": h.E, "F": h.F, "V": h.V}
    with open(HERE / "loss.csv", newline="") as f:
        curve = list(csv.reader(f))
    lines = [
        "| step | training loss, nats per token | held out, nats per character |",
        "|--|--|--|",
    ]
    lines += [f"| {' | '.join(r)} |" for r in curve[1::2]]
    return CARD.format(
        parameters=parameters, S=h.context_length, **sizes, characters=len(held) / len(ids),
        shipped=SHIPPED, megabytes=PACKAGED.stat().st_size / 1e6, n_text=len(text),
        n_held=len(held), perplexities="\n".join(rows), curve="\n".join(lines), target=TARGET,
        prompt=PROMPT, sample=sample, seed=seed,
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trained", type=Path, help="the folder train.py wrote")
    parser.add_argument("text", type=Path, help="tinyshakespeare.txt")
    parser.add_argument("--seed", type=int, default=1337, help="the seed train.py was given")
    pack(parser.parse_args())
