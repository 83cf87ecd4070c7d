"""Counts that were changed by hand."""

FAILS = {
    "measured_growth": "measured-other",
    "measured_reuse": "measured-other",
}


def findings() -> dict:
    """What this notebook measured; `lab report` wrote it."""
    return {'token_bytes': 2560,
     'growth': {'tokens': 118, 'blocks': 4, 'idle': 0.099288},
     'work': {'with': 83, 'without': 3296, 'n_prompt': 20, 'n_tokens': 64},
     'seconds': {'with': 0.233378, 'without': 5.00916},
     'reuse': {'found': [0, 112, 112, 112, 112, 112, 112, 112],
               'hit_rate': 0.7,
               'saved': 0.9},
     'sizes': {'1': [0, 875, 1175],
               '4': [33280, 868, 297],
               '8': [64000, 840, 150],
               '16': [186880, 784, 78],
               '32': [350720, 672, 41],
               '64': [924160, 448, 24],
               '128': [2234880, 0, 16]},
     'pressure': {'lru 16': [0.392857, 53],
                  'lru 28': [0.535714, 25],
                  'lru 48': [0.5625, 2],
                  'fifo 16': [0.348214, 58],
                  'fifo 28': [0.508929, 28],
                  'fifo 48': [0.5625, 2],
                  'lfu 16': [0.419643, 50],
                  'lfu 28': [0.535714, 25],
                  'lfu 48': [0.5625, 2]}}
