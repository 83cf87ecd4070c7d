"""One place taken for a conflict."""

FAILS = {
    "ways_same_place": "ways-same-place",
}

from math import gcd


def ways(stride):
    return gcd(stride, 32)
