#!/usr/bin/env python3
"""Where the time of a request goes: nanoseconds per operation in each stage of the server's core loop.

    benches/stages.py [--server target/release/ringkeeper] [--seconds 6] [--top N] [ROW ...]

Runs each load in turn against a server with a data folder of its own and samples it with `perf`. A
sample in our code counts for the innermost function that has a stage, inlined ones included
(resolved by `addr2line`); one in the kernel for what the kernel was asked to do. The share of a
stage times the CPU time per operation is its cost. Needs perf (Debian: linux-perf) and binutils.
"""

import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROWS = {
    "get-64x1": ["--op", "get", "--connections", "64", "--pipeline", "1"],
    "get-64x16": ["--op", "get", "--connections", "64", "--pipeline", "16"],
    "set-64x16": ["--op", "set", "--connections", "64", "--pipeline", "16"],
}
PORT = 25191
THREAD = "rk-core-0"

# How to classify a call chain of the kernel, the first match wins: (stage, functions).
KERNEL = [
    ("kernel: send, the receiver's half", r"net_rx_action|process_backlog|__napi_poll"),
    ("kernel: send, its own half", r"io_send|sock_sendmsg|tcp_sendmsg"),
    ("kernel: receive", r"io_recv|sock_recvmsg|tcp_recvmsg"),
    ("kernel: the log's write", r"io_write|ext4_|iomap_|blk_|virtio_queue|virtblk"),
    ("kernel: interrupts", r"sysvec_|asm_common_interrupt|irqentry"),
    ("kernel: the ring, sleeping, waking", r"."),
]

# How to classify a function of ours. The innermost one that has a stage counts, so that a checksum
# is one wherever it is computed; shared code (core, alloc) has none.
OURS = [
    ("checksums", r"^crc32|^crc32fast|::digest|Digest"),
    ("hashing of paths", r"^siphasher|engine::tree::key"),
    ("the tree: look-up", r"engine::tree::(walk|reader|entry)"),
    ("the tree: change, retire, free", r"engine::tree"),
    ("decoding, encoding", r"^model::|<model::"),
    ("sessions, watches, order", r"engine::shard::(intake|deliver|connection|watch)"),
    ("answering", r"engine::shard"),
    ("deciding and applying a txn", r"engine::(pipeline|ordering|state|acl|quota|batch|meter)"),
    ("the log's batches", r"txlog::"),
    ("the ring's queues", r"(^|<)(ring|io_uring)::"),
    ("framing, sockets, turns", r"(^|<)(net|server)::|^slab::|<slab::"),
]
LIBC = "copies, comparisons, allocation (libc)"
REST = "the rest"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--server", default="target/release/ringkeeper")
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--top", type=int, default=0, help="functions to name below each stage")
    arguments = parser.parse_args()
    for tool in ("perf", "addr2line"):
        if not shutil.which(tool):
            sys.exit(f"stages.py: {tool} is missing (Debian: linux-perf, binutils)")
    binary = Path(arguments.server)
    if not binary.is_file():
        sys.exit(f"stages.py: there is no {binary}: 'make build' makes it")
    unknown = [row for row in arguments.rows if row not in ROWS]
    if unknown:
        sys.exit(f"stages.py: no row is called {unknown[0]}; there are {', '.join(ROWS)}")
    rows = arguments.rows or list(ROWS)
    out = Path(__file__).resolve().parent / "out"
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        found = measure(binary.resolve(), Path(folder), rows, arguments.seconds)
    show(found, arguments.top)


def measure(binary, folder, rows, seconds):
    """{row: (CPU ns an operation, {stage: Counter of functions})}"""
    config = folder / "zoo.cfg"
    config.write_text(
        f"tickTime=2000\ndataDir={folder.resolve()}/data\nclientPort={PORT}\n"
        "clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n"
    )
    with open(folder / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen([binary, "serve", config], stdout=log, stderr=log)
    try:
        bench = [binary, "bench", "--server", f"127.0.0.1:{PORT}"]
        run([*bench, "--op", "ready", "--nodes", "0", "--seconds", "30"])
        if server.poll() is not None:
            sys.exit(f"stages.py: {(folder / 'log').read_text().strip()[-300:]}")
        bench += ["--nodes", "10000"]
        run([*bench, "--prepare-only"])
        code = Code(server.pid, binary)
        return {row: one_row(bench, folder, server.pid, row, seconds, binary, code) for row in rows}
    finally:
        server.terminate()
        server.wait()


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"stages.py: {' '.join(map(str, command))}: {done.stderr.strip()[-300:]}")
    return done.stdout


def one_row(bench, folder, pid, row, seconds, binary, code):
    print(row, file=sys.stderr)
    result, samples = folder / "result.json", folder / "perf.data"
    load = [*bench, *ROWS[row], "--skip-prepare", "--pid", str(pid), "--json", result]
    load += ["--warmup", "1", "--seconds", str(seconds)]
    with subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as loading:
        time.sleep(2)
        record = ["perf", "record", "-q", "-F", "5000", "-g", "-p", str(pid), "-o", samples]
        run([*record, "--", "sleep", str(max(seconds - 3, 1))])
    if loading.returncode != 0:
        sys.exit(f"stages.py: the load of {row} failed; 'ringkeeper bench' says why")
    cpu_ns = json.loads(result.read_text())["server_cpu_us_per_op"] * 1000
    text = run(["perf", "script", "-i", samples, "-F", "comm,ip,sym,dso"])
    return cpu_ns, classify(text, binary, code)


class Code:
    """The location of the server's code: converts an address reported by perf to one of the binary."""

    def __init__(self, pid, binary):
        head = binary.read_bytes()[: 1 << 16]
        start, count = struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<H", head, 56)[0]
        segments = [struct.unpack_from("<IIQQ", head, start + 56 * at) for at in range(count)]
        # Of the segment that is loaded and executable: kind, flags, offset in the file, address.
        _, _, offset, address = next(one for one in segments if one[0] == 1 and one[1] & 1)
        self.shift = address - offset
        lines = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
        mapped = next(line for line in lines if "x" in line[1] and line[-1] == str(binary))
        self.begin, self.end = (int(word, 16) for word in mapped[0].split("-"))
        self.offset = int(mapped[2], 16)

    def address(self, reported):
        """Some versions of perf report the address in memory, others the offset in the file."""
        if self.begin <= reported < self.end:
            reported += self.offset - self.begin
        return reported + self.shift


def classify(text, binary, code):
    stages, ours = {}, Counter()
    others = 0
    for block in text.split("\n\n"):
        lines = [line.strip() for line in block.strip().splitlines()]
        if not lines:
            continue
        if not lines[0].startswith(THREAD):
            others += 1
            continue
        frames = [re.fullmatch(r"([0-9a-f]+) (.*) \((.*)\)", line) for line in lines[1:]]
        frames = [(int(f[1], 16), f[2], f[3]) for f in frames if f]
        if not frames:
            continue
        address, name, place = frames[0]
        if place == str(binary):
            ours[code.address(address)] += 1
        elif "kernel" in place or place.startswith("["):
            chain = "\n".join(frame[1] for frame in frames if frame[2] != str(binary))
            stage = next(stage for stage, words in KERNEL if re.search(words, chain))
            stages.setdefault(stage, Counter())[name] += 1
        else:
            stages.setdefault(LIBC, Counter())[name] += 1
    for functions, count in zip(functions_at(binary, list(ours)), ours.values()):
        stage, name = stage_of(functions)
        stages.setdefault(stage, Counter())[name] += count
    # The process's time includes the background, which perf sampled too.
    stages["other threads"] = Counter({"": others})
    return stages


def functions_at(binary, addresses):
    """The functions at each address, the innermost first."""
    words = "\n".join(hex(address) for address in addresses)
    reported = subprocess.run(
        ["addr2line", "-a", "-i", "-f", "-C", "-e", binary],
        input=words, capture_output=True, text=True, check=True,
    ).stdout
    found = []
    for line in reported.splitlines():
        if re.fullmatch(r"0x[0-9a-f]+", line):
            found.append([])
            is_name = True
        elif found:
            if is_name:
                found[-1].append(line)
            is_name = not is_name
    return found


def stage_of(functions):
    for name in functions:
        for stage, words in OURS:
            if re.search(words, name):
                return stage, name
    return REST, functions[0] if functions else ""


def show(found, top):
    order = [stage for stage, _ in KERNEL + OURS] + [LIBC, REST, "other threads"]
    rows = list(found)
    print(f"| {'stage':40} | " + " | ".join(f"{row:>10}" for row in rows) + " |")
    print(f"| {'-' * 40} | " + " | ".join("---------:" for _ in rows) + " |")
    for stage in order:
        costs = [cost(found[row], stage) for row in rows]
        if any(costs):
            cells = " | ".join(f"{value:7.0f} ns" if value else " " * 10 for value in costs)
            print(f"| {stage:40} | {cells} |")
            for row in rows:
                for name, count in found[row][1].get(stage, Counter()).most_common(top):
                    print(f"    {row}: {cost_of(found[row], count):6.1f} ns  {name}")
    cells = " | ".join(f"{found[row][0]:7.0f} ns" for row in rows)
    print(f"| {'all':40} | {cells} |")


def cost(measured, stage):
    return cost_of(measured, sum(measured[1].get(stage, Counter()).values()))


def cost_of(measured, count):
    cpu_ns, stages = measured
    return cpu_ns * count / sum(sum(names.values()) for names in stages.values())


if __name__ == "__main__":
    main()
