"""Three servers of one ensemble on this machine, ours or ZooKeeper's, and what they cost."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# A JVM on a busy machine starts slowly.
SERVING_S_MAX = 120


def free_ports(count):
    """Ports that were free a moment ago, below the range of ephemeral ports."""
    found = []
    for port in random.sample(range(20000, 30000), 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    sys.exit("ensemble.py: no free ports")


def word(port, name):
    """The answer to a four-letter word; nothing if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as stream:
            stream.sendall(name)
            answer = b""
            while piece := stream.recv(65536):
                answer += piece
            return answer.decode()
    except OSError:
        return ""


class Three:
    """The servers `0`, `1`, `2`: started, killed, started again."""

    def __init__(self, kind, folder, tick_ms, ringkeeper):
        command = {
            "ours": [str(ringkeeper), "serve"],
            "stock": [str(TOP / "tests/suites/stock-server.sh")],
        }
        self.command = command[kind]
        self.folder = Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        ports = free_ports(9)
        self.ports, quorum, election = ports[:3], ports[3:6], ports[6:]
        peers = "".join(
            f"server.{n + 1}=127.0.0.1:{quorum[n]}:{election[n]}\n" for n in range(3)
        )
        for n in range(3):
            here = self.folder / f"server-{n + 1}"
            here.mkdir(parents=True)
            (here / "myid").write_text(f"{n + 1}\n")
            (here / "zoo.cfg").write_text(
                f"tickTime={tick_ms}\ninitLimit=10\nsyncLimit=5\nmaxClientCnxns=0\n"
                f"dataDir={here}\nclientPort={self.ports[n]}\nclientPortAddress=127.0.0.1\n"
                f"admin.enableServer=false\n4lw.commands.whitelist=*\n{peers}"
            )
        self.running = {}

    def __enter__(self):
        for n in range(3):
            self.start(n)
        self.leader()
        return self

    def __exit__(self, *_):
        for n in list(self.running):
            self.kill(n)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, n):
        here = self.folder / f"server-{n + 1}"
        with open(here / "log", "ab") as log:
            self.running[n] = subprocess.Popen(
                [*self.command, str(here / "zoo.cfg")], stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self, n):
        server = self.running.pop(n)
        server.send_signal(signal.SIGKILL)
        server.wait()

    def leader(self):
        """The one that leads, once all three serve."""
        end = time.monotonic() + SERVING_S_MAX
        while time.monotonic() < end:
            answers = [word(port, b"srvr") for port in self.ports]
            if all("\nMode: " in answer for answer in answers):
                leading = [n for n in range(3) if "Mode: leader" in answers[n]]
                if leading:
                    return leading[0]
            time.sleep(0.1)
        for n in range(3):
            print((self.folder / f"server-{n + 1}/log").read_text()[-2000:], file=sys.stderr)
        sys.exit(f"ensemble.py: the three servers do not serve after {SERVING_S_MAX} s")

    def cpu_s(self):
        """CPU time of each server so far."""
        used = {}
        for n, server in self.running.items():
            fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
            used[n] = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
        return used
