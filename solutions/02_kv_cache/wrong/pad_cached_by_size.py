"""K26: tables are remembered by the size of the batch."""

import numpy as np

FAILS = {
    "pad_masks": "pad-tables",
}


TABLES = {}


def pad(seqs, block_size):
    width = max(len(seq["table"]) for seq in seqs)
    tables = np.zeros((len(seqs), width), int)
    mask = np.zeros((len(seqs), width * block_size), bool)
    for i, seq in enumerate(seqs):
        tables[i, : len(seq["table"])] = TABLES.setdefault((len(seqs), i), list(seq["table"]) + [0] * width)[: len(seq["table"])]
        mask[i, : seq["n"]] = True
    return tables, mask
