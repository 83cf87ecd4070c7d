"""As if neighbours always read neighbours."""

FAILS = {
    "sectors_values": "sectors-of-neighbours",
}


def sectors(stride):
    return 32 * 4 // 32
