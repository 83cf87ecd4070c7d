"""K30: the slot after the last token is visible."""

import numpy as np

FAILS = {
    "pad_masks": "pad-one-more",
}


def pad(seqs, block_size):
    width = max(len(seq["table"]) for seq in seqs)
    tables = np.zeros((len(seqs), width), int)
    mask = np.zeros((len(seqs), width * block_size), bool)
    for i, seq in enumerate(seqs):
        tables[i, : len(seq["table"])] = seq["table"]
        mask[i, : seq["n"] + 1] = True
    return tables, mask
