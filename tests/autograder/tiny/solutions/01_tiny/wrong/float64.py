"""The result is float64 always."""

FAILS = {"center_dtype": "wrong-dtype"}


def center(x, weight):
    return (x - x.mean(-1, keepdims=True)) * weight.astype("float64")
