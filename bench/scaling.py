"""What does one more sequence cost? Milliseconds a step against sequences and threads, beside
llama.cpp's.

    python bench/scaling.py [--model gemma] [--sequences 1,2,4,8,16] [--threads 1,2] [--quick]
                            [--csv FILE]
    python bench/scaling.py --table FILE          the table of an earlier run, as Markdown

A step decodes one token of every sequence, each with 256 tokens in its cache. Where reading the
weights is what takes time, a second sequence is nearly free; where multiplying them is, it costs as
much as the first. Turns, samples and llama.cpp's best: as in ``peer_speed.py``.
"""

from __future__ import annotations

from pathlib import Path

from peer_speed import QUICK, Progress, checked_peer, numbers, peer_flags
from speed_models import MODELS
from speed_table import SHOWN, page, show
from turns import OURS, PEERS, Effort, Turns, write

DEPTH, N_STEPS = 256, 32


def main() -> None:
    flags = peer_flags(__doc__)
    flags.add_argument("--model", choices=MODELS, default="gemma")
    flags.add_argument("--sequences", type=numbers, default=[1, 2, 4, 8, 16], metavar="N,N")
    flags.add_argument("--csv", type=Path, default="build/bench/scaling.csv")
    flags.add_argument("--table", type=Path, metavar="CSV")
    args = flags.parse_args()
    if args.table:
        print(page(args.table, SHOWN["scaling"]))
        return
    peer, samples, named = checked_peer(args), [], MODELS[args.model]
    effort, n_steps = (QUICK, N_STEPS // 4) if args.quick else (Effort(), N_STEPS)
    sides = (OURS,) if args.alone else (OURS, *PEERS)
    file = named.find(args.work)
    with Turns(peer, named.label, file, args.variant) as turns, Progress() as progress:
        depth = min(DEPTH, turns.facts["context"] - n_steps)
        for n_threads in args.threads:
            for n_sequences in args.sequences:
                job = {
                    "n_sequences": n_sequences, "depth": depth, "n_tokens": 1, "n_steps": n_steps,
                    "threads": n_threads,
                }  # fmt: skip
                for sample in turns.play("decode", job, sides, effort):
                    samples.append(sample)
                    progress.tell(sample)
                    write(args.csv, samples, turns.hello())  # each time: a run may be cut short
    show(samples, SHOWN["scaling"])
    print(f"{args.csv}: {len(samples)} samples")


if __name__ == "__main__":
    main()
