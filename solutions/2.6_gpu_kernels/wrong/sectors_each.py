"""A sector for each thread, whatever the stride."""

FAILS = {
    "sectors_values": "sectors-each-its-own",
}


def sectors(stride):
    return 32
