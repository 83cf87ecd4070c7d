"""Another Tally, number 3."""


class Tally:
    def __init__(self):
        self.names, self.counts = [], []

    def add(self, name, n=1):
        if name not in self.names:
            self.names.append(name)
            self.counts.append(0)
        self.counts[self.names.index(name)] += n

    def most(self):
        return self.names[self.counts.index(max(self.counts))]
