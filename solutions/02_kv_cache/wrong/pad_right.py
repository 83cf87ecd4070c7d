"""The tables stand at the right end of their rows."""

import numpy as np

FAILS = {
    "pad_masks": "pad-tables",
}


def pad(seqs, block_size):
    width = max(len(seq["table"]) for seq in seqs)
    tables = np.zeros((len(seqs), width), int)
    mask = np.zeros((len(seqs), width * block_size), bool)
    for i, seq in enumerate(seqs):
        tables[i, width - len(seq["table"]) :] = seq["table"]
        mask[i, : seq["n"]] = True
    return tables, mask
