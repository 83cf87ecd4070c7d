"""The first name counts."""

FAILS = {"tally_counts": "first-name"}


class Tally:
    def __init__(self):
        self.first = None

    def add(self, name, n=1):
        self.first = self.first or name

    def most(self):
        return self.first
