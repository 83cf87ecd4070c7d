"""What does a longer text cost? Milliseconds a token against the tokens in the cache and the size
of its blocks, beside llama.cpp's.

    python bench/cache.py [--model gemma] [--depths 1,512,1024,2048,4096,8192] [--blocks 16,32,128]
                          [--threads 1] [--quick] [--csv FILE]
    python bench/cache.py --table FILE            the table of an earlier run, as Markdown

A step decodes one token of one sequence. Only keys and values that a token sees are read, so layers
with a window cost no more from there on. llama.cpp's cache has no blocks: it takes turns beside the
first size of ours. Turns, samples and llama.cpp's best: as in ``peer_speed.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from peer_speed import QUICK, Progress, checked_peer, numbers, peer_flags
from speed_models import MODELS
from speed_table import SHOWN, page, show
from turns import OURS, PEERS, Effort, Turns, write

N_STEPS = 32


def main() -> None:
    flags = peer_flags(__doc__)
    flags.set_defaults(threads=[1])
    flags.add_argument("--model", choices=MODELS, default="gemma")
    depths = [1, 512, 1024, 2048, 4096, 8192]
    flags.add_argument("--depths", type=numbers, default=depths, metavar="N,N")
    flags.add_argument("--blocks", type=numbers, default=[32, 16, 128], metavar="N,N")
    flags.add_argument("--csv", type=Path, default="build/bench/cache.csv")
    flags.add_argument("--table", type=Path, metavar="CSV")
    args = flags.parse_args()
    if args.table:
        print(page(args.table, SHOWN["cache"]))
        return
    peer, samples, named = checked_peer(args), [], MODELS[args.model]
    effort, n_steps = (QUICK, N_STEPS // 4) if args.quick else (Effort(), N_STEPS)
    file = named.find(args.work)
    with Turns(peer, named.label, file, args.variant) as turns, Progress() as progress:
        longest = turns.facts["context"] - n_steps
        if max(args.depths) > longest:
            sys.exit(
                f"depth {max(args.depths)}: {named.label} has room for {longest} and the steps"
            )
        for n_threads in args.threads:
            for depth in args.depths:
                for i, block_size in enumerate(args.blocks):
                    job = {
                        "n_sequences": 1, "depth": depth, "n_tokens": 1, "n_steps": n_steps,
                        "threads": n_threads, "block_size": block_size,
                    }  # fmt: skip
                    sides = (OURS, *PEERS) if i == 0 and not args.alone else (OURS,)
                    for sample in turns.play("decode", job, sides, effort):
                        samples.append(sample)
                        progress.tell(sample)
                        write(args.csv, samples, turns.hello())  # each time: a run may be cut short
    show(samples, SHOWN["cache"])
    print(f"{args.csv}: {len(samples)} samples")


if __name__ == "__main__":
    main()
