"""Do operations on the cache mean what llama.cpp's mean? Both run the same scripts of them.

    python bench/peer_cache.py --peer PEER/bin/python [--golden DIR]

For each row of ``random_model.VARIANTS`` (F32) and each script: nrms between the logits of all its
tokens. Gates as in ``peer_architectures.py``. Two things llama.cpp does when it moves cells are
done like it here, to hold the rest to the gate, and are marked: keys that carry a magnitude (YaRN,
longrope) are multiplied by it once more, moved or not, and layers that do not rotate are turned all
the same (it aborts where no layer rotates). Our engine does neither: logits do not change when all
cells move alike (``tests/minengine/test_memory.py``). Exits with 1 where a gate is missed.
``--golden`` stores llama.cpp's logits of each script's last token for
``tests/minengine/test_peer_cache.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from peer import ask, finish, nrms, parser
from peer_architectures import SEED, SIZES, gate, make

from minengine import Engine, ops, random_model
from minengine.batch import Batch, Piece
from minengine.cells import Cells
from minengine.graph import forward
from minengine.sequence import Sequence

IDS = np.random.default_rng(6).integers(3, SIZES["V"], 100).tolist()
SCRIPTS = {
    "shift": [
        ["decode", 0, IDS[:40]], ["rm", 0, 4, 16], ["add", 0, 16, -1, -12],
        ["decode", 0, IDS[40:60]],
    ],
    "ahead": [["decode", 0, IDS[:20]], ["add", 0, 0, -1, 13], ["decode", 0, IDS[20:30]]],
    "fork": [
        ["decode", 0, IDS[:30]], ["cp", 0, 1, 0, -1], ["decode", 1, IDS[30:40]],
        ["decode", 0, IDS[40:50]], ["keep", 1], ["decode", 1, IDS[50:60]],
    ],
    "rewind": [["decode", 0, IDS[:30]], ["rm", 0, 20, -1], ["decode", 0, IDS[30:50]]],
    "holes": [["decode", 0, IDS[:30]], ["rm", 0, 7, 15], ["decode", 0, IDS[30:50]]],
    "middle": [
        ["decode", 0, IDS[:30]], ["cp", 0, 1, 0, 12], ["decode", 1, IDS[30:35]],
        ["rm", 0, 3, -1], ["decode", 0, IDS[35:40]],
    ],
}  # fmt: skip
MOVES = ("shift", "ahead")
ABORTS = [f"granite no rope {script}" for script in MOVES]


def ours(path: Path, steps: list[list]) -> tuple[np.ndarray, bool]:
    """The logits of every token that a script decodes, and were keys turned in llama.cpp's way?"""
    out, sequences = [], {}
    with Engine(path, 1, block_size=8, mode="exact") as engine:
        odd = as_peer(engine)
        memory = engine.memory
        for verb, which, *rest in steps:
            sequence = sequences.setdefault(which, Sequence([0] * 200, None, 200))
            if verb == "decode":
                cells, ids = memory.cells_of(sequence), rest[0]
                cells.room(len(ids))
                positions = cells.positions if cells.holes else None
                piece = Piece(ids, cells.n, cells.table, positions, len(ids))
                out.append(forward(engine.model, Batch.of([piece], 8), engine.pool))
                cells.wrote(len(ids))
            elif verb == "cp":
                other = sequences.setdefault(rest[0], Sequence([0] * 200, None, 200))
                memory.seq_cp(sequence, other, *rest[1:])
            elif verb == "keep":
                for other in sequences.values():
                    if other is not sequence:
                        other.cells.free()
                        other.cells = Cells(engine.pool)
            else:
                before = memory.cells_of(sequence).positions
                getattr(memory, f"seq_{verb}")(sequence, *rest)
                if odd and verb == "add":
                    turn_unmoved(engine, sequence, before)
    return np.concatenate(out), odd and any(verb == "add" for verb, *_ in steps)


def as_peer(engine: Engine) -> bool:
    """Turn keys as llama.cpp does; -> is that another way than ours?"""
    rotations = engine.model.rotations
    dense = next((r for r in rotations if r is not None), None)
    theirs = [r or dense for r in rotations]
    odd = any(r is None or r.magnitude != 1 for r in rotations)

    def turn(rows: np.ndarray, layer: int, by: np.ndarray) -> np.ndarray:
        n, G, _ = rows.shape
        x = engine.pool.format.dequantize(rows).reshape(n, -1)
        ops.rope(x, *theirs[layer].angles(by), G, engine.model.arch.pairing)
        return engine.pool.format.quantize(x.reshape(n, G, -1))

    if odd and dense is not None:
        engine.memory.turn = turn
    return odd


def turn_unmoved(engine: Engine, sequence: Sequence, before: np.ndarray) -> None:
    """Turn the keys of cells that did not move by nothing, which leaves the magnitude on them."""
    cells, pool = sequence.cells, engine.pool
    slots = cells.slots()[cells.positions == before]
    if not slots.size:
        return
    keys, values = pool.rows(slots)
    for layer in range(keys.shape[1]):
        keys[:, layer] = engine.memory.turn(keys[:, layer], layer, np.zeros(len(slots)))
    pool.put(slots, keys, values)


def main() -> None:
    args = parser(__doc__).parse_args()
    files = {name: make(args.work, name, "F32")[0] for name in random_model.VARIANTS}
    job = {"files": files, "scripts": SCRIPTS, "leave": ABORTS}
    peer = ask(args.peer, "peer_llamacpp_cache.py", args.work, job)
    missed, golden = [], {}
    print(f"{'':26} {'gate':>7} " + " ".join(f"{s:>9}" for s in SCRIPTS))
    for name, path in files.items():
        cells = []
        for label, steps in SCRIPTS.items():
            want = peer.get(f"{name} {label}")
            if want is None:
                cells.append("aborts")
                continue
            got, odd = ours(path, steps)
            error = nrms(got, want)
            cells.append(f"{error:8.1e}" + "*" * odd)
            missed += [] if error < gate(name) else [f"{name} {label}"]
            if not odd:
                golden[f"{name} {label}"] = want[-1]
        print(f"{name:26} {gate(name):7.0e} " + " ".join(f"{c:>9}" for c in cells), flush=True)
    if args.golden:
        arrays = {"seed": np.array(SEED), "version": peer["version"], **golden}
        np.savez_compressed(args.golden / "cache.npz", **arrays)
    print("* keys turned in llama.cpp's way, not in ours")
    finish(missed)


if __name__ == "__main__":
    main()
