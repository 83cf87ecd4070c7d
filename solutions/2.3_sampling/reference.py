"""Prompts, the three measures, and what was measured with them."""


def choices():
    return {
        "prompts": [
            "JULIET:\nO Romeo, Romeo! wherefore art thou",
            "First Citizen:\n",
            "KING RICHARD III:\nA horse! a horse! my kingdom for",
        ],
        "seeds": [1, 2],
    }


def surprise(logits, tokens):
    x = np.asarray(logits, dtype=np.float64)
    x = x - x.max(axis=1, keepdims=True)
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(tokens)), list(tokens)].mean() / np.log(2))


def distinct(texts, n):
    runs = [tuple(t[i : i + n]) for t in texts for i in range(len(t) - n + 1)]
    return len(set(runs)) / len(runs) if runs else 0.0


def repetition(text, n):
    runs = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def findings() -> dict:
    """What this notebook measured; `lab report` wrote it."""
    return {'temperature': {'0.0': [2.0889, 0.368794, 0.115942, 201, 201, 6334, 6334, 4692, 4692],
                     '0.4': [2.18238, 0.719858, 0.0797101, 6241, 4251, 9318, 4283, 4967,
                             5743],
                     '0.7': [2.71273, 0.911348, 0.0108696, 2871, 9293, 8334, 4629, 8294, 91],
                     '1.0': [3.60068, 0.929078, 0.00362319, 9108, 4957, 3295, 4135, 9949,
                             7052],
                     '1.3': [5.18671, 0.992908, 0.0, 3072, 5776, 3031, 861, 7127, 3290],
                     '1.7': [7.43992, 0.989362, 0.0, 2455, 5897, 4047, 2906, 5701, 9317]},
     'left': {'top_k 40': [40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40],
              'top_p 0.9': [397, 1, 43, 71, 1, 10, 121, 1, 9, 118, 32, 96, 1, 91],
              'min_p 0.05': [195, 1, 51, 5, 1, 4, 47, 1, 7, 50, 7, 39, 1, 37]},
     'top_k': {'1.0': [2.0889, 0.368794, 0.115942, 201, 201, 6334, 6334, 4692, 4692],
               '3.0': [2.23994, 0.730496, 0.0543478, 5824, 5871, 4714, 467, 2384, 3594],
               '10.0': [2.85979, 0.904255, 0.0217391, 2719, 1633, 8361, 5244, 8410, 7292],
               '40.0': [3.68451, 0.978723, 0.0, 5827, 2265, 2783, 6541, 7054, 5312],
               '0.0': [3.60068, 0.929078, 0.00362319, 9108, 4957, 3295, 4135, 9949, 7052]},
     'top_p': {'0.1': [1.97818, 0.606383, 0.112319, 9896, 1739, 7642, 9626, 330, 8724],
               '0.5': [2.59641, 0.921986, 0.0144928, 7849, 4818, 7173, 2749, 717, 3026],
               '0.8': [3.59957, 0.957447, 0.0, 7971, 1732, 3957, 5558, 1675, 3922],
               '0.95': [3.71518, 0.950355, 0.00724638, 9851, 7095, 7512, 8272, 4713, 4578],
               '1.0': [3.60068, 0.929078, 0.00362319, 9108, 4957, 3295, 4135, 9949, 7052]},
     'human': 5.3757}
