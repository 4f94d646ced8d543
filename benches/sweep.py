#!/usr/bin/env python3
"""sweep.py [options] - measures sets under every combination of what a profile decides about the log, and the probe's own choice.

First every combination, the profile that `ringkeeper probe` makes here, and every one that the program ships for a disk, take
turns, in an order that differs from round to round; each is a profile by which the server runs, and sets are measured with 1,
64 and 1,024 in flight. The best of many is the best by luck, too, so that the best hand-set ones of each load, the probe's and
the worst shipped one are then measured against each other: in turn, in many rounds of that load alone. What is said in the end
compares what was measured in the same round; beside it stands between which factors the middle lies in 19 of 20 such sweeps.

RINGKEEPER: the binary (default: target/release/ringkeeper).
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
# In flight: connections, requests on each.
LOADS = {1: (1, 1), 64: (32, 2), 1024: (64, 16)}
DISKS = ["nvme-protected", "nvme-plain", "sata-ssd", "network-block", "virtio-vm", "rotating", "ram-disk"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def profile(name, durability, slots, batch, spin):
    return (
        f'version = 1\nname = "{name}"\nabout = "One of a sweep."\n'
        f'[log.durability]\nvalue = "{durability}"\n[log.slots]\nvalue = {slots}\n'
        f"[log.batch-kib]\nvalue = {batch}\n[loops.spin-us]\nvalue = {spin}\n"
    )


class Sweep:
    """What was asked for, and what was measured so far: sets a second, by profile and load."""

    def __init__(self, args):
        self.args = args
        target = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
        self.ringkeeper = os.environ.get("RINGKEEPER", target / "release/ringkeeper")
        # Removed with this object, however it ends.
        self.kept = tempfile.TemporaryDirectory(prefix="ringkeeper-sweep-", dir=args.dir)
        self.folder = Path(self.kept.name)
        self.figures = {}
        self.finals = {}

    def command(self, *words):
        done = subprocess.run([self.ringkeeper, *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def run(self, name, where, figures, loads=LOADS):
        """Measures a profile, which is a file or a name."""
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        port = self.args.port
        words = ["serve"]
        for key in [f"dataDir={data}", f"clientPort={port}", "clientPortAddress=127.0.0.1", "maxClientCnxns=0",
                    "admin.enableServer=false", "globalOutstandingLimit=100000", f"ring.profile={where}"]:
            words += ["--set", key]
        with open(self.folder / "log", "w") as log:
            server = subprocess.Popen([self.ringkeeper, *words], stdout=log, stderr=log)
        try:
            self.command("bench", "--server", f"127.0.0.1:{port}", "--prepare-only", "--nodes", 1000)
            for load in loads:
                connections, pipeline = LOADS[load]
                page = self.folder / "page.json"
                self.command("bench", "--server", f"127.0.0.1:{port}", "--skip-prepare", "--nodes", 1000, "--op", "set",
                             "--connections", connections, "--pipeline", pipeline, "--seconds", self.args.seconds,
                             "--warmup", 1, "--json", page)
                rate = json.loads(page.read_text())["ops_per_s"]
                figures.setdefault((name, load), []).append(rate)
        finally:
            server.terminate()
            server.wait()

    def rate(self, name, load):
        return statistics.median(self.figures[name, load])

    def spread(self, name, load):
        rates = self.figures[name, load]
        return (max(rates) - min(rates)) / self.rate(name, load)


    def factor(self, name, other, load):
        """How many times as fast as another a profile was in the same round: the middle, and between which it lies."""
        ratios = sorted(one / two for one, two in zip(self.finals[name, load], self.finals[other, load]))
        middles = sorted(statistics.median(random.Random(at).choices(ratios, k=len(ratios))) for at in range(1000))
        return statistics.median(ratios), middles[25], middles[-26]


def predicted(points, chosen, beside_us):
    """The time of a lone set by the probe's figures, in microseconds: the durable block, and what a request costs beside it."""
    point = next(it for it in points if (it["durability"], it["bytes"], it["slots"]) == (chosen, 4096, 1))
    return point["p50_us"] + beside_us


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=".", help="a directory on the disk that is measured")
    parser.add_argument("--rounds", type=int, default=2, help="of all")
    parser.add_argument("--final-rounds", type=int, default=9, help="of the best")
    parser.add_argument("--finalists", type=int, default=3, help="how many hand-set ones are measured again, for each load")
    parser.add_argument("--seconds", type=int, default=3, help="of each load")
    parser.add_argument("--probe-seconds", type=int, default=30)
    parser.add_argument("--port", type=int, default=21881)
    parser.add_argument("--slots", default="1,2,4,8")
    parser.add_argument("--batch-kib", default="64,256,1024")
    parser.add_argument("--spin-us", default="0", help="of no use where loops are not pinned")
    args = parser.parse_args()
    sweep = Sweep(args)
    say(f"probing {args.dir}")
    measured = sweep.folder / "measured.toml"
    report = json.loads(sweep.command("probe", args.dir, "--seconds", args.probe_seconds, "--json", "--profile", measured))
    points, costs = report["disk"]["points"], report["costs"]
    runs = {"probe": measured}
    ways = sorted({point["durability"] for point in points})
    numbers = [[int(it) for it in text.split(",")] for text in (args.slots, args.batch_kib, args.spin_us)]
    hand = []
    for way in ways:
        for slots in numbers[0]:
            for batch in numbers[1]:
                for spin in numbers[2]:
                    name = f"{way}-{slots}-{batch}k" + (f"-{spin}us" if len(numbers[2]) > 1 else "")
                    runs[name] = sweep.folder / f"{name}.toml"
                    runs[name].write_text(profile(name, way, slots, batch, spin))
                    hand.append(name)
    runs.update({name: name for name in DISKS})
    for turn in range(args.rounds):
        order = list(runs)
        random.Random(turn).shuffle(order)
        for at, name in enumerate(order):
            say(f"round {turn + 1} of {args.rounds}, {at + 1} of {len(order)}: {name}")
            sweep.run(name, runs[name], sweep.figures)
    finals = {}
    for load in LOADS:
        best = sorted(hand, key=lambda name: -sweep.rate(name, load))[:args.finalists]
        # By their better rounds: a round that was disturbed makes none the worst.
        worst = min(DISKS, key=lambda name: max(sweep.figures[name, load]))
        finals[load] = (best, worst)
        for turn in range(args.final_rounds):
            order = [*best, "probe", worst]
            random.Random(turn).shuffle(order)
            say(f"{load} in flight, round {turn + 1} of {args.final_rounds}: {', '.join(order)}")
            for name in order:
                sweep.run(name, runs[name], sweep.finals, [load])

    chosen = tomllib.loads(measured.read_text())
    values = {f"{section}.{knob}": it["value"] for section, knobs in chosen.items() if isinstance(knobs, dict) and
              section != "machine" for knob, it in knobs.items()}
    print("the probe's profile: " + ", ".join(f"{knob} = {value}" for knob, value in values.items()))
    print(f"\nsets a second, the middle of {args.rounds} rounds of {args.seconds} s (the spread of the rounds)\n")
    print("| profile | " + " | ".join(f"{load} in flight" for load in LOADS) + " |")
    print("| --- |" + " ---: |" * len(LOADS))
    for name in sorted(runs, key=lambda name: -sweep.rate(name, 64)):
        cells = [f"{sweep.rate(name, load):,.0f} ({sweep.spread(name, load):.0%})" for load in LOADS]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()
    for load, (best, worst) in finals.items():
        best = max(best, key=lambda name: statistics.median(sweep.finals[name, load]))
        share, low, high = sweep.factor("probe", best, load)
        print(f"{load} in flight: the probe's profile reaches {share:.1%} of the best hand-set one ({best}; "
              f"{low:.1%} to {high:.1%}, {args.final_rounds} rounds)")
    _, worst = finals[1]
    way = tomllib.loads((TOP / "tuning/profiles" / f"{worst}.toml").read_text())["log"]["durability"]["value"]
    # What a request costs beside its durable block: two wakes, and the calls of both sides.
    beside_us = (2 * costs["wake_ns"] + 12 * costs["system_call_ns"]) / 1e3
    own = values["log.durability"]
    factor = predicted(points, way, beside_us) / predicted(points, own, beside_us)
    found, low, high = sweep.factor("probe", worst, 1)
    print(f"1 in flight: {found:.2f} times the worst shipped profile ({worst}; {low:.2f} to {high:.2f}); predicted {factor:.2f}")


if __name__ == "__main__":
    main()
