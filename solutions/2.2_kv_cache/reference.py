"""A load, the formula, and what was measured with them."""


def choices():
    return {
        "prompt": "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\n\nROMEO:\n",
        "prefix": (
            "The scene is Verona, a street before the house of Capulet, at night in summer. "
            "Answer as a player of the company would, in verse where it can be done, and never "
            "leave your part. Be brief; the audience is standing. Enter ROMEO, BENVOLIO and "
            "MERCUTIO, with masks and torches, and the Nurse after them.\n\n"
        ),
        "questions": [
            "BENVOLIO:\nWhat, shall this speech be spoke for our excuse?",
            "MERCUTIO:\nNay, gentle Romeo, we must have you dance.",
            "ROMEO:\nIs love a tender thing?",
            "Nurse:\nPeter, my fan!",
            "CAPULET:\nWelcome, gentlemen! Ladies that have their toes unplagued will walk a bout.",
            "TYBALT:\nThis, by his voice, should be a Montague.",
            "JULIET:\nGood pilgrim, you do wrong your hand too much.",
            "FRIAR LAURENCE:\nWisely and slow; they stumble that run fast.",
        ],
        "seed": 1597,
    }


def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    n_blocks = -(-n_tokens // block_size)
    return 2 * n_layers * n_kv_heads * n_blocks * block_size * head_width * bytes_per_element


def findings() -> dict:
    """What this notebook measured; `lab report` wrote it."""
    return {'token_bytes': 2560,
     'growth': {'tokens': 118, 'blocks': 8, 'idle': 0.099288},
     'work': {'with': 83, 'without': 3296, 'n_prompt': 20, 'n_tokens': 64},
     'seconds': {'with': 0.233378, 'without': 5.00916},
     'reuse': {'found': [0, 112, 112, 112, 112, 112, 112, 112],
               'hit_rate': 0.7,
               'saved': 0.667234},
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
