"""More sectors than threads."""

FAILS = {
    "sectors_values": "sectors-without-end",
}


def sectors(stride):
    return 4 * stride
