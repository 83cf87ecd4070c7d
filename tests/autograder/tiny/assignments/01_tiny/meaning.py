"""What is right: a neighbour of checks.py, imported by name."""


def center(x, weight):
    return (x - x.mean(-1, keepdims=True)) * weight
