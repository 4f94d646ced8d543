#!/usr/bin/env python3
"""ensemble.py [rows] [gaps] [idle] [options] - measures three servers of ours beside three of Apache ZooKeeper, in turn.

rows  throughput, latency, and CPU time of all three servers per operation
gaps  how long no write is acknowledged after the leader is killed (SIGKILL)
idle  CPU time of an ensemble without clients

RINGKEEPER: the binary (default: target/release/ringkeeper). BENCH: the generator's command (default: "$RINGKEEPER bench").
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from figures import Figure, ratio
from three import TOP, Three
from writers import Writers

# name, where the clients are connected, arguments of the generator.
ROWS = [
    ("get-64x16", "leader", "--op get --connections 64 --pipeline 16"),
    ("set-64x1", "leader", "--op set --connections 64 --pipeline 1"),
    ("set-64x16", "leader", "--op set --connections 64 --pipeline 16"),
    ("create-64x16", "leader", "--op create --connections 64 --pipeline 16"),
    ("set-64x16", "follower", "--op set --connections 64 --pipeline 16"),
]
ROW_TICK_MS, GAP_TICK_MS = 2000, 1000
NODES = 10_000
WRITERS = 4
# A gap is looked for in this time after a kill, and in as much more as it takes.
AFTER_KILL_S = 4
GAP_S_MAX = 60
# Not measured at the beginning and the end of a row's time: CPU time is sampled between.
MARGIN_S = 0.5


def say(text):
    print(text, file=sys.stderr, flush=True)


class Comparison:
    """What was asked for, and what was measured so far."""

    def __init__(self, args):
        self.args = args
        self.out = Path(args.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        target = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
        self.ringkeeper = os.environ.get("RINGKEEPER", target / "release/ringkeeper")
        self.generator = shlex.split(os.environ.get("BENCH", f"{self.ringkeeper} bench"))
        os.environ.setdefault("SUITES", str(target / "suites"))
        os.environ.setdefault("STOCK_HEAP", "2g")
        os.environ.setdefault("STOCK_GC", "G1")
        # {(name, where): {server: [figures of a round]}}, and per server: gaps in s, idle shares.
        self.rows = {}
        self.gaps = {kind: [] for kind in args.servers}
        self.idle = {kind: [] for kind in args.servers}

    def three(self, kind, tick_ms):
        return Three(kind, self.out / "three", tick_ms, self.ringkeeper)

    def bench(self, port, words):
        command = [*self.generator, "--server", f"127.0.0.1:{port}", "--nodes", str(NODES)]
        ran = subprocess.run(
            [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if ran.returncode != 0:
            sys.exit(f"ensemble.py: the generator failed: {ran.stdout[-2000:]}")

    def measure_rows(self, kind):
        with self.three(kind, ROW_TICK_MS) as three:
            leader = three.leader()
            port = {"leader": three.ports[leader], "follower": three.ports[(leader + 1) % 3]}
            self.bench(port["leader"], ["--prepare-only"])
            # A JVM that is still compiling is not worth measuring.
            warm = ["--skip-prepare", "--op", "mixed", "--seconds", "5"]
            for one in port.values():
                self.bench(one, warm)
            for name, where, words in ROWS:
                say(f"{kind}: {name} at the {where}")
                figures = self.measure_row(three, port[where], words.split())
                self.rows.setdefault((name, where), {}).setdefault(kind, []).append(figures)
                if three.leader() != leader:
                    sys.exit(f"ensemble.py: another server leads after {name}")

    def measure_row(self, three, port, words):
        args, file = self.args, self.out / "row.json"
        used = []

        def sample():
            time.sleep(args.warmup + MARGIN_S)
            before, began = sum(three.cpu_s().values()), time.monotonic()
            time.sleep(max(args.seconds - 2 * MARGIN_S, MARGIN_S))
            used.append((sum(three.cpu_s().values()) - before) / (time.monotonic() - began))

        sampler = threading.Thread(target=sample)
        sampler.start()
        times = ["--seconds", str(args.seconds), "--warmup", str(args.warmup)]
        self.bench(port, ["--skip-prepare", *words, *times, "--json", str(file)])
        sampler.join()
        found = json.loads(file.read_text())
        operation = words[words.index("--op") + 1]
        latency = {name: found[f"{operation}_us_{name}"] for name in ("p50", "p99", "p999")}
        rate = found["ops_per_s"]
        return {"rate": rate, "cpu_us": used[0] / rate * 1e6, **latency}

    def measure_idle(self, kind):
        with self.three(kind, GAP_TICK_MS) as three:
            say(f"{kind}: idle for {self.args.idle_seconds} s")
            # What an ensemble does at its start is over by then.
            time.sleep(3)
            before, began = three.cpu_s(), time.monotonic()
            time.sleep(self.args.idle_seconds)
            took = time.monotonic() - began
            after = three.cpu_s()
            self.idle[kind].append(sum(after[n] - before[n] for n in range(3)) / took)

    def measure_gaps(self, kind):
        with self.three(kind, GAP_TICK_MS) as three, Writers(three.ports, WRITERS) as writers:
            time.sleep(2)
            for number in range(self.args.kills):
                leader = three.leader()
                begun = time.monotonic() - 0.1
                three.kill(leader)
                gap = longest_gap(writers, begun)
                say(f"{kind}: kill {number + 1}, {gap * 1000:.0f} ms without a write")
                self.gaps[kind].append(gap)
                three.start(leader)
                three.leader()
                time.sleep(1.5)

    def table(self):
        lines = []
        if self.rows:
            head = f"{'row':<13} {'at the':<9} {'server':<6} {'mean/s':>9} {'spread':>7}"
            head += f" {'p50 us':>8} {'p99 us':>8} {'p999 us':>8} {'CPU-us':>7}"
            lines += ["CPU-us: CPU time of all three servers per operation", head]
        for (name, where), servers in self.rows.items():
            of = {}
            for kind, rounds in servers.items():
                of[kind] = {key: Figure([one[key] for one in rounds]) for key in rounds[0]}
                rate = of[kind]["rate"]
                cells = [f"{name:<13} {where:<9} {kind:<6} {rate.mean:9.0f}"]
                cells += [f"{rate.spread_percent:6.0f}%"]
                cells += [f"{of[kind][key].mean:8.0f}" for key in ("p50", "p99", "p999")]
                lines.append(" ".join([*cells, f"{of[kind]['cpu_us'].mean:7.2f}"]))
            if {"ours", "stock"} <= of.keys():
                both = {key: ratio(of["ours"][key], of["stock"][key]) for key in of["ours"]}
                words = [f"{key} {both[key].mean:.2f}x" for key in ("rate", "p50", "p99", "p999")]
                words.append(f"CPU 1/{1 / both['cpu_us'].mean:.1f}")
                lines.append(f"{name:<13} {where:<9} ratio  " + ", ".join(words))
        for kind, gaps in self.gaps.items():
            if gaps:
                least, middle, most = min(gaps), statistics.median(gaps), max(gaps)
                lines.append(
                    f"{kind}: without an acknowledged write after {len(gaps)} kills of the leader:"
                    f" median {middle:.3f} s, {least:.3f} to {most:.3f} s"
                )
        for kind, shares in self.idle.items():
            if shares:
                share = statistics.mean(shares) * 100
                lines.append(f"{kind}: three idle servers use {share:.2f} % of a processor")
        return "\n".join(lines) + "\n"


def longest_gap(writers, begun):
    """The longest time without an acknowledged write after `begun`."""
    while True:
        time.sleep(0.2)
        now = time.monotonic()
        times = writers.acknowledged_since(begun)
        if now - begun > GAP_S_MAX:
            sys.exit(f"ensemble.py: no write was acknowledged within {GAP_S_MAX} s of a kill")
        # Until writes flow again the gap is still open.
        if now - begun >= AFTER_KILL_S and now - times[-1] < 0.5:
            return max(later - earlier for earlier, later in zip(times, times[1:]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ["rows", "gaps", "idle"]
    parser.add_argument("parts", nargs="*", metavar="rows|gaps|idle", help="all by default")
    parser.add_argument("--servers", nargs="+", default=["stock", "ours"], choices=["stock", "ours"])
    parser.add_argument("--rounds", type=int, default=2, help="of rows and idle (2)")
    parser.add_argument("--seconds", type=int, default=8, help="duration of a row (8)")
    parser.add_argument("--warmup", type=int, default=3, help="before each row, in seconds (3)")
    parser.add_argument("--kills", type=int, default=20, help="of the leader (20)")
    parser.add_argument("--idle-seconds", type=int, default=20, help="how long to be idle (20)")
    parser.add_argument("--out", default=TOP / "benches/out", help="data and results (benches/out)")
    args = parser.parse_args()
    unknown = set(args.parts) - set(parts)
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    wanted = args.parts or parts
    comparison = Comparison(args)
    for number in range(args.rounds):
        for part in wanted:
            # Kills are many already.
            if part == "gaps" and number > 0:
                continue
            for kind in args.servers:
                getattr(comparison, f"measure_{part}")(kind)
                # So that an interrupted run leaves its results.
                (comparison.out / "ensemble.txt").write_text(comparison.table())
    print(comparison.table(), end="")


if __name__ == "__main__":
    main()
