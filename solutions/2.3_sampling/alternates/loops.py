"""Dictionaries and loops."""


def surprise(logits, tokens):
    total = 0.0
    for row, token in zip(logits, tokens):
        row = [float(x) for x in row]
        top = max(row)
        total += top - row[token] + np.log(sum(np.exp(x - top) for x in row))
    return total / len(tokens) / np.log(2)


def distinct(texts, n):
    seen, count = {}, 0
    for text in texts:
        for i in range(n, len(text) + 1):
            count += 1
            seen[str(text[i - n : i])] = True
    return len(seen) / max(count, 1)


def repetition(text, n):
    seen, again, count = [], 0, 0
    for i in range(len(text) - n + 1):
        run = list(text[i : i + n])
        again += run in seen
        count += 1
        seen.append(run)
    return again / count if count else 0
