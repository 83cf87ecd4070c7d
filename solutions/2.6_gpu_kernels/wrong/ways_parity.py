"""Even is bad, odd is good, and nothing more."""

FAILS = {
    "ways_values": "ways-two-or-one",
}


def ways(stride):
    return 1 if stride % 2 or not stride else 2
