"""The figures of a run: reads the generators' results and summarises the rounds."""

import json
import re
from pathlib import Path

SERVERS = ["stock", "ours", "bare", "etcd"]
# Rows of a workload's results that are parts of operations, or about the generator itself.
PARTS = {"event", "attach", "lock taken", "generator late"}


class Figure:
    """One figure in all rounds. Rounds without it are missing."""

    def __init__(self, values):
        self.values = [value for value in values if value is not None]

    def __bool__(self):
        return bool(self.values)

    @property
    def mean(self):
        return sum(self.values) / len(self.values)

    @property
    def low(self):
        return min(self.values)

    @property
    def high(self):
        return max(self.values)

    @property
    def spread_percent(self):
        """The range from the lowest to the highest, in percent of the mean."""
        return (self.high - self.low) * 100 / self.mean if self.mean else 0


class Measured:
    """One row on one server: all its rounds."""

    def __init__(self, rounds, failures):
        # A bad round counts, or a server that stalled would look better than it was; one in which
        # nothing was done has no figures.
        self.rounds = [one for one in rounds if one.get("ops", 1) > 0]
        self.failures = failures

    def of(self, field):
        return Figure([one.get(field) for one in self.rounds])

    @property
    def rate(self):
        return self.of("ops_per_s")

    @property
    def cpu_us(self):
        return self.of("server_cpu_us_per_op")

    def latency(self, word):
        """Of the main operation (see `main_operation`), in us."""
        return self.of(f"{self.main_operation}_us_{word}")

    @property
    def operations(self):
        """Names of what was timed, in the generator's order."""
        found = {}
        for one in self.rounds:
            for field in one:
                match = re.fullmatch(r"(.+)_us_p50", field)
                if match:
                    found[match[1]] = None
        return list(found)

    @property
    def main_operation(self):
        """The most frequent one; a single operation has no other."""
        counts = {}
        for one in self.rounds:
            for row in one.get("latencies", []):
                if row["name"] not in PARTS:
                    counts[row["name"]] = counts.get(row["name"], 0) + row["count"]
        names = [name for name in self.operations if name not in PARTS]
        return max(counts, key=counts.get) if counts else (names or [""])[0]


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_part(folder, names):
    """{name: {server: Measured}}, in the order of the names, of what was measured."""
    found = {}
    for name in names:
        for server in SERVERS:
            files = {
                *folder.glob(f"{name}.{server}.*.json"),
                *folder.glob(f"{name}.{server}.*.failed"),
            }
            if files:
                rounds = sorted((file for file in files if file.suffix == ".json"), key=round_of)
                failed = sorted((file for file in files if file.suffix == ".failed"), key=round_of)
                failures = [
                    f"round {round_of(file)}: {file.read_text().strip()}" for file in failed
                ]
                measured = Measured([load(file) for file in rounds], failures)
                found.setdefault(name, {})[server] = measured
    return found


def round_of(file):
    return int(file.name.split(".")[-2])


class Run:
    """Everything in OUT/results."""

    def __init__(self, folder):
        folder = Path(folder)
        lines = (folder / "machine.txt").read_text().splitlines()
        self.machine = [line.split("\t", 1) for line in lines]
        self.arguments = dict(line.split(None, 1) for line in lines_of(folder / "rows/list"))
        self.rows = read_part(folder / "rows", self.arguments)
        self.workloads = read_part(folder / "workloads", lines_of(folder / "workloads/list"))
        self.memory = read_part(folder / "memory", ["made", "restart"])
        self.disturbances = dict(line.split(None, 1) for line in lines_of(folder / "tails/list"))
        self.tails = read_part(folder / "tails", self.disturbances)


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


class Ratio:
    """Ours against another server: of the means, and of the worst and the best pair of rounds."""

    def __init__(self, ours, other):
        self.mean = ours.mean / other.mean
        self.low = ours.low / other.high
        self.high = ours.high / other.low
        self.best = ours.high / other.high


def ratio(ours, other):
    """None if the divisor is missing or zero."""
    return Ratio(ours, other) if ours and other and other.low > 0 else None
