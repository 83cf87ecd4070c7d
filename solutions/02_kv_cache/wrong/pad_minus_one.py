"""K31: the table is padded with -1, and -1 is the last block to NumPy."""

import numpy as np

FAILS = {
    "pad_masks": "pad-unreadable",
}


def pad(seqs, block_size):
    width = max(len(seq["table"]) for seq in seqs)
    tables = np.full((len(seqs), width), -1)
    mask = np.zeros((len(seqs), width * block_size), bool)
    for i, seq in enumerate(seqs):
        tables[i, : len(seq["table"])] = seq["table"]
        mask[i, : seq["n"]] = True
    return tables, mask
