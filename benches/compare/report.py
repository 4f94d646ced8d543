#!/usr/bin/env python3
"""report.py OUT - OUT/results as a table on standard output, and as OUT/compare.html."""

import sys
from pathlib import Path

from figures import Run, ratio
from page import page

HEAD = [
    "row",
    "server",
    "mean/s",
    "best/s",
    "spread",
    "CPU-us",
    "p50 us",
    "p99 us",
    "p999 us",
    "bench-us",
    "others",
]


def line_of(name, server, measured, width):
    others = measured.of("others_share")
    cells = [
        f"{name:<{width}} {server:<6}",
        f"{measured.rate.mean:10.0f}",
        f"{measured.rate.high:10.0f}",
        f"{measured.rate.spread_percent:6.0f}%",
        f"{measured.cpu_us.mean:9.2f}" if measured.cpu_us else f"{'':9}",
        *(f"{measured.latency(word).mean:9.0f}" for word in ("p50", "p99", "p999")),
        f"{measured.of('generator_cpu_us_per_op').mean:9.2f}",
        f"{others.mean * 100:6.0f}%" if others else "",
    ]
    return " ".join(cells)


def against(name, ours, other, label, width):
    """The ratio of ours to another server, from the worst pair of rounds to the best."""
    rate = ratio(ours.rate, other.rate)
    if not rate:
        return None
    words = [f"{rate.mean:.2f}x ({rate.low:.2f} to {rate.high:.2f})", f"best {rate.best:.2f}x"]
    if label == "limit":
        words = [
            f"{rate.mean * 100:.0f} % of the limit ({rate.low * 100:.0f} to {rate.high * 100:.0f})"
        ]
    cpu = ratio(other.cpu_us, ours.cpu_us)
    if cpu:
        words.append(f"CPU {1 / cpu.mean:.1f}x" if label == "limit" else f"CPU 1/{cpu.mean:.1f}")
    for word in ("p50", "p999"):
        latency = ratio(ours.latency(word), other.latency(word))
        if latency:
            words.append(f"{word} {latency.mean:.2f}x")
    return f"{name:<{width}} {label:<6} " + ", ".join(words)


def write_part(part, out):
    width = max(len(name) for name in part)
    head = f"{HEAD[0]:<{width}} {HEAD[1]:<6} {HEAD[2]:>10} {HEAD[3]:>10} {HEAD[4]:>7}"
    print(head, *(f"{word:>9}" for word in HEAD[5:-1]), f"{HEAD[-1]:>7}", file=out)
    for name, servers in part.items():
        for server, measured in servers.items():
            if measured.rate and measured.latency("p50"):
                print(line_of(name, server, measured, width), file=out)
            for failure in measured.failures:
                print(f"{name:<{width}} {server:<6} failed in {failure}", file=out)
        for other, label in (("stock", "ratio"), ("etcd", "/etcd"), ("bare", "limit")):
            if "ours" in servers and other in servers:
                line = against(name, servers["ours"], servers[other], label, width)
                if line:
                    print(line, file=out)


def write_memory(memory, out):
    for server, measured in memory.get("made", {}).items():
        for one in measured.rounds:
            each = one["rss_bytes"] / one["nodes"]
            print(
                f"{server}: {one['rss_bytes'] >> 20} MiB resident with {one['nodes']} nodes"
                f" of 100 bytes, {each:.0f} bytes per node",
                file=out,
            )
    for server, measured in memory.get("restart", {}).items():
        for number, one in enumerate(measured.rounds, 1):
            print(
                f"{server}: restart {number}, first get after {one['ready_us'] / 1e6:.3f} s,"
                f" {one['rss_bytes'] >> 20} MiB resident",
                file=out,
            )


def tail_lines(run):
    """A line for each disturbance and operation, with its ratio to the quiet load."""
    quiet = run.tails.get("quiet", {}).get("ours")
    for name, servers in run.tails.items():
        for operation in ("get", "set"):
            cells = [name, operation]
            for word in ("p50", "p99", "p999", "max"):
                field = f"{operation}_us_{word}"
                took, usual = servers["ours"].of(field), quiet.of(field) if quiet else None
                cells.append(f"{took.mean:.0f} us" if took else "")
                if word in ("p99", "p999"):
                    beside = ratio(took, usual) if took and usual else None
                    cells.append(f"{beside.mean:.2f}x" if beside else "")
            yield cells


def write_tails(run, out):
    head = ["disturbance", "load", "p50", "p99", "", "p999", "", "max"]
    widths = [12, 5, 10, 10, 7, 10, 7, 10]
    for name, *cells in [head, *tail_lines(run)]:
        cells = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:])]
        print(f"{name:<{widths[0]}}", *cells, file=out)


def write_table(run, out):
    for name, value in run.machine:
        print(f"{name:<14} {value}", file=out)
    for part in (run.rows, run.workloads):
        if part:
            print(file=out)
            write_part(part, out)
    if run.memory:
        print(file=out)
        write_memory(run.memory, out)
    if run.tails:
        print(file=out)
        write_tails(run, out)


def main():
    folder = Path(sys.argv[1])
    run = Run(folder / "results")
    write_table(run, sys.stdout)
    (folder / "compare.html").write_text(page(run), encoding="utf-8")


if __name__ == "__main__":
    main()
