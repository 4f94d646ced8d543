"""Replaces three servers of ZooKeeper one by one under foreign clients, and then brings them back.

drive.py WORK OURS STOCK TOOL LOAD... - OURS and STOCK: the commands that run a zoo.cfg; TOOL: the program that
converts data; LOAD: a name and a command, as in "kazoo=python load_kazoo.py", started with the
servers' addresses and a file of notes appended.

A load works until its standard input ends. It notes `NANOSECONDS WRITER` for each acknowledged write, by the
monotonic clock, WRITER being a session that writes all the time, or `-`. At last it checks what it knows and
prints `ok WHAT: FIGURES` or `not ok WHAT: WHY`.
"""
import os
import shutil
import subprocess
import sys
import time

from ensemble import OURS, STOCK, Ensemble, until
from kazoo.client import KazooClient

LOADING_SECONDS = float(os.environ.get("LOADING_SECONDS", "5"))


class Load:
    """A process with clients."""

    def __init__(self, work, name, command, hosts):
        self.name = name
        self.notes = os.path.join(work, name + ".notes")
        self.log = os.path.join(work, name + ".log")
        open(self.notes, "w", encoding="ascii").close()
        with open(self.log, "w", encoding="utf8") as log:
            self.process = subprocess.Popen(
                [*command.split(), hosts, self.notes],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )

    def acknowledged(self):
        """Pairs of when and by whom, so far."""
        with open(self.notes, encoding="ascii") as notes:
            lines = [line.split() for line in notes.read().splitlines()[:-1]]
        return [(int(line[0]) / 1e9, line[1]) for line in lines if len(line) == 2]

    def is_working(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended by itself; see {self.log}")
        writers = {writer for _, writer in self.acknowledged()}
        return len(writers) > 1

    def end(self):
        """The lines of its checks."""
        printed, _ = self.process.communicate(timeout=300)
        lines = [line for line in printed.splitlines() if line.startswith(("ok ", "not ok "))]
        failed = any(line.startswith("not ok ") for line in lines)
        if not lines or (self.process.returncode and not failed):
            lines.append(f"not ok process: exit status {self.process.returncode}; see {self.log}")
        return [line.replace("ok ", f"ok {self.name}: ", 1) for line in lines]


def longest(times, begin, end):
    """The longest time between two acknowledged writes, in ms."""
    inside = [begin, *sorted(time for time in times if begin < time < end), end]
    return max(1000 * (b - a) for a, b in zip(inside, inside[1:]))


def report(spans, loads):
    """For each exchange, the longest time without an acknowledged write: of all, and of one session."""
    notes = {load.name: load.acknowledged() for load in loads}
    print("longest time without an acknowledged write, in ms:")
    print(f"{'exchange':44}{'taken':>8}{'all':>7}" + "".join(f"{'one of ' + n:>16}" for n in notes))
    for what, begin, end in spans:
        row = f"{what:44}{1000 * (end - begin):8.0f}"
        row += f"{longest([t for each in notes.values() for t, _ in each], begin, end):7.0f}"
        for each in notes.values():
            writers = {writer for _, writer in each} - {"-"}
            gaps = [longest([t for t, by in each if by == one], begin, end) for one in writers]
            row += f"{max(gaps):16.0f}"
        print(row)


def tree(address):
    """All nodes of a server, with data and Stat."""
    client = KazooClient(address, timeout=20)
    client.start(timeout=60)
    client.sync("/")
    found, left = {}, ["/"]
    while left:
        path = left.pop()
        data, stat = client.get(path)
        if path != "/zookeeper/config":
            found[path] = (data, stat)
        left += [path.rstrip("/") + "/" + child for child in client.get_children(path)]
    client.stop()
    client.close()
    return found


def same_everywhere(servers):
    """A line: whether every server holds the same."""
    trees = [tree(server.address) for server in servers]
    differ = {path for each in trees for path in each if any(o.get(path) != each[path] for o in trees)}
    if differ:
        return f"not ok servers: they differ at {len(differ)} nodes, such as {sorted(differ)[:3]}"
    return f"ok servers: the same {len(trees[0])} nodes on all three"


def exchange_all(ensemble, make, spans):
    """The followers first, as docs/migrating.md says; the first with nothing, the others with their data."""
    leader = ensemble.leader()
    order = [server for server in ensemble.servers if server is not leader] + [leader]
    for at, server in enumerate(order):
        time.sleep(LOADING_SECONDS)
        role = "leader" if server is ensemble.leader() else "follower"
        word = {OURS: "import", STOCK: "export"}[make] if at else "empty"
        what = f"server {server.number} ({role}) to {make}, {word}"
        begin = time.monotonic()
        ensemble.exchange(server, make, converted=at > 0)
        # What clients need to come back is part of it.
        time.sleep(2)
        spans.append((what, begin, time.monotonic()))
        print(f"exchanged {what}; {ensemble.leader().make} leads", flush=True)


def main(work, ours, stock, tool, *commands):
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    ensemble = Ensemble(work, {OURS: ours, STOCK: stock}, tool)
    loads, spans = [], []
    try:
        ensemble.launch()
        for command in commands:
            loads.append(Load(work, *command.split("=", 1), ensemble.hosts))
        for load in loads:
            until(load.is_working, f"{load.name} works")
        exchange_all(ensemble, OURS, spans)
        exchange_all(ensemble, STOCK, spans)
        time.sleep(LOADING_SECONDS)
        for load in loads:
            load.process.stdin.close()
            load.process.stdin = None
        lines = [line for load in loads for line in load.end()]
        lines.append(same_everywhere(ensemble.servers))
        report(spans, loads)
    finally:
        for load in loads:
            if load.process.poll() is None:
                load.process.kill()
        ensemble.end()
    print("\n".join(lines))
    failed = sum(line.startswith("not ok") for line in lines)
    print(f"{len(lines) - failed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
