"""Of equals the last counts."""

FAILS = {"tally_ties": "last-of-equals"}


class Tally:
    def __init__(self):
        self.counts = {}

    def add(self, name, n=1):
        self.counts[name] = self.counts.get(name, 0) + n

    def most(self):
        return max(reversed(self.counts), key=self.counts.get)
