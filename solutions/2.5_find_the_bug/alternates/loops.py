"""Loops over single numbers, and a merge by a heap."""

import heapq


def merge(symbols, scores):
    symbols, heap = list(symbols), []

    def offer(a, b):
        if symbols[a] + symbols[b] in scores:
            heapq.heappush(heap, (-scores[symbols[a] + symbols[b]], a, b, symbols[a], symbols[b]))

    for at in range(len(symbols) - 1):
        offer(at, at + 1)
    while heap:
        _, a, b, left, right = heapq.heappop(heap)
        if symbols[a] != left or symbols[b] != right:
            continue
        symbols[a], symbols[b] = left + right, ""
        before = [i for i in range(a) if symbols[i]]
        after = [i for i in range(b, len(symbols)) if symbols[i]]
        if before:
            offer(before[-1], a)
        if after:
            offer(a, after[0])
    return [s for s in symbols if s]


def dequantize(raw):
    out = np.empty((raw.shape[0], raw.shape[1] // 34 * 32), np.float32)
    for i, row in enumerate(raw):
        for j in range(len(row) // 34):
            block = row[34 * j : 34 * j + 34]
            scale = np.frombuffer(block[:2].tobytes(), np.float16)[0]
            codes = block[2:].astype(int)
            out[i, 32 * j : 32 * j + 32] = float(scale) * np.where(codes > 127, codes - 256, codes)
    return out


def rope(x, positions, frequencies):
    out = np.array(x, np.float64)
    for i, f in enumerate(frequencies):
        z = (out[..., 2 * i] + 1j * out[..., 2 * i + 1]) * np.exp(1j * f * positions)[:, None]
        out[..., 2 * i], out[..., 2 * i + 1] = z.real, z.imag
    return out


def mask(n_queries, n_keys):
    return np.array([[s <= n_keys - n_queries + t for s in range(n_keys)] for t in range(n_queries)])


def positions(stored, n_new):
    last = max([int(p) for p in stored], default=-1)
    return np.array([last + 1 + i for i in range(n_new)])


def penalize(logits, recent, repeat):
    out = list(map(float, logits))
    for token in set(recent):
        out[token] = min(out[token] / repeat, out[token] * repeat)
    return np.array(out)
