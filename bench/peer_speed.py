"""Is minengine ahead of llama.cpp? Decode, prefill and eight sequences together, taking turns.

    python bench/peer_speed.py [--models gemma,tiny,1.1b-q4_0] [--threads 1,2] [--quick]
                               [--phases decode,prefill,together] [--csv FILE]
    python bench/peer_speed.py --table FILE       the table of an earlier run, as Markdown

decode: 64 tokens one by one, 512 in the cache. prefill: 512 tokens in one pass. together: 64 tokens
of each of 8 sequences, each with 512 in its cache. Where a model's context is shorter, as many as
it holds. Both engines have the same file, threads, tokens and an F16 cache; neither draws a token.
llama.cpp counts with the best of flash attention on and off, repacking on and off, in each cell;
``turns.py`` says how turns are taken and which samples count. ``--peer`` is a Python that has
llama-cpp-python (extra ``peer``), this one unless given. The whole table takes about an hour on a
quiet machine; nothing else should run beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from peer import folder, program
from rich.console import Console
from speed_models import MODELS
from speed_table import SHOWN, page, show
from turns import MAPPED, OURS, PEERS, Effort, Sample, Turns, write

from minengine import strips

DEPTH, STEPS, PROMPT, TOGETHER = 512, 64, 512, 8
QUICK = Effort(clean=3, most=3, screen=1)


def phase_jobs(context: int, quick: bool = False) -> dict[str, tuple[str, dict]]:
    """phase -> (what the table calls it, its job), as far as a context reaches."""
    steps = STEPS // 4 if quick else STEPS
    depth, prompt = min(DEPTH, context - steps), min(PROMPT, context)
    each = depth // 8 if quick else depth  # eight caches take their time to fill
    decode = {"depth": depth, "n_tokens": 1, "n_steps": steps}
    return {
        "decode": (f"decode tg{steps} at {depth}", decode | {"n_sequences": 1}),
        "prefill": (
            f"prefill pp{prompt}", {"depth": 0, "n_tokens": prompt, "n_steps": 1, "n_sequences": 1},
        ),
        "together": (
            f"{TOGETHER} sequences, tg{steps} at {each}",
            decode | {"n_sequences": TOGETHER, "depth": each},
        ),
    }  # fmt: skip


PHASES = tuple(phase_jobs(DEPTH + STEPS))


def peer_flags(doc: str) -> argparse.ArgumentParser:
    """What every bench has that lets llama.cpp take turns."""
    flags = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    said = "a Python that has llama-cpp-python; this one unless given"
    flags.add_argument("--peer", type=program, default=sys.executable, help=said)
    flags.add_argument("--alone", action="store_true", help="without llama.cpp")
    flags.add_argument("--threads", type=numbers, default=[1, 2], metavar="N,N")
    said = "where model files are made; build/bench unless given"
    flags.add_argument("--work", type=folder, default="build/bench", help=said)
    flags.add_argument("--quick", action="store_true", help="three turns and no more, fewer steps")
    said = "of minengine: " + ", ".join(strips.runs())
    flags.add_argument("--variant", choices=strips.runs(), help=said)
    return flags


def numbers(text: str) -> list[int]:
    try:
        found = [int(n) for n in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"{text}: want whole numbers from 1 on, with commas")
    return found


def names_of(known) -> object:
    """A type for argparse: names with commas, all of them known."""

    def names(text: str) -> list[str]:
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name}: want {', '.join(known)}")
        return text.split(",")

    return names


def checked_peer(args: argparse.Namespace) -> str | None:
    """The peer's Python; exits where it has no llama-cpp-python."""
    if args.alone:
        return None
    done = subprocess.run([args.peer, "-c", "import llama_cpp"], capture_output=True, text=True)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        sys.exit(
            f"{args.peer}: no llama-cpp-python ({why}); pip install 'minengine[peer]' there, name "
            "another Python by --peer, or measure without llama.cpp by --alone"
        )
    return args.peer


class Progress:
    """One line on stderr that says which turn it is, and what the last one gave."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.status = self.console.status("")
        self.n = 0

    def __enter__(self) -> Progress:
        self.status.start()
        return self

    def __exit__(self, kind: type | None, *_: object) -> bool:
        """An interrupt ends the measuring; the table of what there is comes all the same."""
        self.status.stop()
        return kind is KeyboardInterrupt

    def tell(self, s: Sample) -> None:
        self.n += 1
        text = (
            f"sample {self.n}: {s.model}, {s.threads} threads, {s.phase}: {s.side} {s.rate:.1f} "
            f"tokens/s, {s.got:.0%} of its processors"
        )
        if self.console.is_terminal:
            self.status.update(text)
        else:
            print(text, file=sys.stderr, flush=True)


def main() -> None:
    flags = peer_flags(__doc__)
    flags.add_argument("--models", type=names_of(MODELS), default=list(MODELS), metavar="NAMES")
    flags.add_argument("--phases", type=names_of(PHASES), default=list(PHASES), metavar="NAMES")
    flags.add_argument("--mapped", action="store_true", help="minengine on the file itself, too")
    flags.add_argument("--csv", type=Path, default="build/bench/peer_speed.csv")
    flags.add_argument("--table", type=Path, metavar="CSV")
    args = flags.parse_args()
    if args.table:
        print(page(args.table, SHOWN["peer_speed"]))
        return
    peer, samples, hello = checked_peer(args), [], {}
    sides = (OURS, *((MAPPED,) if args.mapped else ()), *(() if args.alone else PEERS))
    effort = QUICK if args.quick else Effort()
    files = {name: MODELS[name].find(args.work) for name in args.models}
    with Progress() as progress:
        for name in args.models:
            with Turns(peer, MODELS[name].label, files[name], args.variant) as turns:
                hello = turns.hello()
                jobs = phase_jobs(turns.facts["context"], args.quick)
                for n_threads in args.threads:
                    for phase, job in (jobs[p] for p in args.phases):
                        for sample in turns.play(
                            phase, job | {"threads": n_threads}, sides, effort
                        ):
                            samples.append(sample)
                            progress.tell(sample)
                            write(args.csv, samples, hello)  # each time: a run may be cut short
    show(samples, SHOWN["peer_speed"])
    print(f"{args.csv}: {len(samples)} samples; " + ", ".join(f"{k} {v}" for k, v in hello.items()))


if __name__ == "__main__":
    main()
