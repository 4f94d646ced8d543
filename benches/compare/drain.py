#!/usr/bin/env python3
"""drain.py [options] - empties one of three servers of its sessions, and spreads them again, beside clients of another server.

Sessions that do nothing but stay are all at one server; a generator's clients read and write at another. It is measured how long
`ringkeeper balance drain` and `balance even` take, whether a session or its node is lost, and the latency of the others meanwhile
beside what it is while nobody moves, in turn.

RINGKEEPER: the binary (default: target/release/ringkeeper).
"""

import argparse
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from three import TOP, Three, free_ports
from wanderers import EXISTS, Crowd
from writers import SESSION_MS, Writer, string


def say(text):
    print(text, file=sys.stderr, flush=True)


class Drain:
    """What was asked for, and three servers with admin servers."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        target = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
        self.ringkeeper = os.environ.get("RINGKEEPER", target / "release/ringkeeper")
        self.admins = free_ports(3)
        self.three = Three("ours", folder / "three", 2000, self.ringkeeper)
        for n, port in enumerate(self.admins):
            path = self.three.folder / f"server-{n + 1}/zoo.cfg"
            text = path.read_text().replace("admin.enableServer=false", "admin.enableServer=true")
            path.write_text(f"{text}admin.serverAddress=127.0.0.1\nadmin.serverPort={port}\n")

    def balance(self, *words):
        """Runs `balance`; returns how long it took, in s."""
        servers = ",".join(f"127.0.0.1:{port}" for port in self.admins)
        begun = time.monotonic()
        done = subprocess.run(
            [self.ringkeeper, "balance", *words, "--servers", servers, "--per-second", str(self.args.per_second)],
            env={**os.environ, "RINGKEEPER_AUTH": "digest:any:body"}, capture_output=True, text=True,
        )
        if done.returncode != 0:
            sys.exit(f"drain.py: balance {words}: {done.stdout}{done.stderr}")
        return time.monotonic() - begun

    def others(self, port):
        """Starts the clients of another server."""
        file = self.folder / "others.json"
        words = f"--op mixed --connections 16 --pipeline 1 --nodes 1000 --warmup 1 --seconds {self.args.seconds}"
        command = [self.ringkeeper, "bench", "--server", f"127.0.0.1:{port}", *words.split(), "--skip-prepare", "--json", file]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL), file

    @staticmethod
    def p99(running, file):
        if running.wait() != 0:
            sys.exit("drain.py: the clients of the other server failed")
        figures = json.loads(file.read_text())
        return {key: value for key, value in figures.items() if key.endswith("_us_p99")}

    def counts(self):
        answer = []
        for port in self.admins:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
                stream.sendall(b"GET /commands/admission HTTP/1.0\r\n\r\n")
                text = b""
                while piece := stream.recv(65536):
                    text += piece
            answer.append(json.loads(text.split(b"\r\n\r\n", 1)[1])["connections"])
        return answer

    def missing(self, crowd):
        """How many of the nodes are gone."""
        client = Writer(self.three.ports, 0)
        client.last_zxid = max(wanderer.last_zxid for wanderer in crowd.all)
        with socket.create_connection(("127.0.0.1", self.three.ports[0]), timeout=10) as stream:
            request = struct.pack(">iqiq", 0, client.last_zxid, SESSION_MS, 0)
            client.send(stream, request + string(bytes(16)) + b"\0")
            client.receive(stream)
            return sum(client.call(stream, EXISTS, string(path) + b"\0") != 0 for path in crowd.nodes())

    def run(self):
        rounds = []
        with self.three as three:
            leader = three.leader()
            drained, other = (leader + 1) % 3, (leader + 2) % 3
            subprocess.run([self.ringkeeper, "bench", "--server", f"127.0.0.1:{three.ports[other]}", "--prepare-only", "--nodes",
                            "1000"], check=True, stdout=subprocess.DEVNULL)
            say(f"{self.args.sessions} sessions come to server {drained + 1}")
            crowd = Crowd(three.ports, self.args.sessions, three.ports[drained])
            crowd.start()
            while crowd.settled < self.args.sessions:
                time.sleep(0.2)
            time.sleep(2)
            name = f"127.0.0.1:{self.admins[drained]}"
            for turn in range(self.args.rounds):
                before = self.p99(*self.others(three.ports[other]))
                held = self.counts()[drained]
                running = self.others(three.ports[other])
                time.sleep(2)
                drain_s = self.balance("drain", name)
                during = self.p99(*running)
                left = self.counts()[drained]
                self.balance_open(name)
                even_s = self.balance("even")
                time.sleep(1)
                even = self.counts()
                rounds.append((before, during, drain_s, held - left, left, even_s, even))
                say(f"round {turn + 1} of {self.args.rounds}: drained of {held} in {drain_s:.1f} s, even in {even_s:.1f} s: {even}")
                if turn + 1 < self.args.rounds:
                    self.gather(name, drained)
            lost, missing = crowd.lost, self.missing(crowd)
        self.show(rounds, lost, missing)

    def balance_open(self, name):
        """A drained server admits clients again."""
        host, port = name.split(":")
        body = b'{"for_ms": 0}'
        with socket.create_connection((host, int(port)), timeout=10) as stream:
            stream.sendall(b"POST /commands/admission HTTP/1.0\r\nAuthorization: digest any:body\r\nContent-Length: "
                           + str(len(body)).encode() + b"\r\n\r\n" + body)
            while stream.recv(65536):
                pass

    def gather(self, name, drained):
        """All sessions come to one server again."""
        for n, port in enumerate(self.admins):
            count = self.counts()[n]
            if n != drained and count > 0:
                self.balance("move", str(count), f"127.0.0.1:{port}", name)

    @staticmethod
    def show(rounds, lost, missing):
        print("| round | drained | seconds | left | even, s | connections when even | others' p99: quiet, us | meanwhile, us |")
        print("| ---: " * 8 + "|")
        for number, (before, during, drain_s, moved, left, even_s, even) in enumerate(rounds):
            shown = [" ".join(f"{key.split('_')[0]} {value:,.0f}" for key, value in it.items()) for it in (before, during)]
            print(f"| {number + 1} | {moved:,} | {drain_s:.1f} | {left} | {even_s:.1f} | {even} | {shown[0]} | {shown[1]} |")
        for key in rounds[0][0]:
            factors = [during[key] / before[key] for before, during, *_ in rounds if before.get(key)]
            print(f"{key}: {statistics.median(factors):.2f} times as long while sessions move (the middle of {len(factors)} rounds, "
                  f"{min(factors):.2f} to {max(factors):.2f})")
        print(f"sessions lost: {lost}; nodes missing: {missing}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=16, help="of the other clients, each time")
    parser.add_argument("--per-second", type=int, default=200, help="connections that a server closes in a second")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringkeeper-drain-", dir=".") as folder:
        Drain(args, Path(folder).resolve()).run()


if __name__ == "__main__":
    main()
