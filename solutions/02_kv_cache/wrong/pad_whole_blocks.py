"""The mask ends with the block, not with the text."""

import numpy as np

FAILS = {
    "pad_masks": "pad-whole-blocks",
}


def pad(seqs, block_size):
    width = max(len(seq["table"]) for seq in seqs)
    tables = np.zeros((len(seqs), width), int)
    mask = np.zeros((len(seqs), width * block_size), bool)
    for i, seq in enumerate(seqs):
        tables[i, : len(seq["table"])] = seq["table"]
        mask[i, : len(seq["table"]) * block_size] = True
    return tables, mask
