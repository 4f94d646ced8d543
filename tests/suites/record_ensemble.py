"""Stock servers behind a recording relay: record_ensemble.py OUT FIRST_PORT (see record-ensemble.sh)."""
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from kazoo.client import KazooClient

from relay import Relay

HERE = os.path.dirname(os.path.abspath(__file__))
PARTICIPANTS, OBSERVERS = (1, 2, 3), (4,)
SERVERS = PARTICIPANTS + OBSERVERS
PATIENCE_S = 90
# What is kept of a direction: whole packets up to here.
KEPT_BYTES = 6000
SNAP = 15
# What leaders send without a reconfiguration.
EXPECTED = {2, 4, 5, 6, 7, 8, 10, 12, 13, 14, SNAP, 17}
SNAPSHOT_END = struct.pack(">i", 10) + b"BenWasHere"


class Ensemble:
    """Servers that know each other only by ports of the relay."""

    def __init__(self, folder, first_port):
        self.folder, self.first = folder, first_port
        self.relay = Relay()
        self.running = {}
        for server in SERVERS:
            self.configure(server)

    def client_port(self, server):
        return self.first + server

    def quorum_port(self, server):
        return self.first + 10 + server

    def election_port(self, server):
        return self.first + 20 + server

    def configure(self, server):
        lines = [
            "tickTime=1000", "maxSessionTimeout=600000", "initLimit=20", "syncLimit=10", "admin.enableServer=false",
            "4lw.commands.whitelist=*", f"dataDir={self.data(server)}",
            f"clientPort={self.client_port(server)}", "clientPortAddress=127.0.0.1",
        ]
        if server in OBSERVERS:
            lines.append("peerType=observer")
        for other in SERVERS:
            quorum, election = self.quorum_port(other), self.election_port(other)
            if other != server:
                pair = 10 * server + other
                for base, target, name in ((100, quorum, "learner"), (200, election, "election")):
                    self.relay.listen(self.first + base + pair, target, name, server, other)
                quorum, election = self.first + 100 + pair, self.first + 200 + pair
            role = "observer" if other in OBSERVERS else "participant"
            lines.append(f"server.{other}=127.0.0.1:{quorum}:{election}:{role}")
        os.makedirs(self.data(server))
        with open(f"{self.data(server)}/myid", "w", encoding="ascii") as file:
            file.write(f"{server}\n")
        with open(f"{self.folder}/{server}.cfg", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def data(self, server):
        return f"{self.folder}/data-{server}"

    def start(self, *servers):
        for server in servers:
            with open(f"{self.folder}/{server}.log", "ab") as log:
                self.running[server] = subprocess.Popen(
                    [f"{HERE}/stock-server.sh", f"{self.folder}/{server}.cfg"],
                    stdout=log, stderr=log)

    def kill(self, *servers):
        for server in servers:
            process = self.running.pop(server)
            process.kill()
            process.wait()

    def pause(self, *servers):
        for server in servers:
            self.running[server].send_signal(signal.SIGSTOP)

    def mode(self, server):
        try:
            with socket.create_connection(("127.0.0.1", self.client_port(server)), 2) as stream:
                stream.settimeout(2)
                stream.sendall(b"srvr")
                answer = b""
                while piece := stream.recv(4096):
                    answer += piece
        except OSError:
            return None
        for line in answer.decode().splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ")
        return None

    def wait(self, *servers):
        """Until all of them serve; who leads of them."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            modes = {server: self.mode(server) for server in servers}
            if all(modes.values()):
                return next((server for server, mode in modes.items() if mode == "leader"), None)
            time.sleep(0.2)
        raise SystemExit(f"record_ensemble.py: {modes} after {PATIENCE_S} s; logs: {self.folder}")

    def client(self, server, timeout=20, **session):
        hosts = f"127.0.0.1:{self.client_port(server)}"
        client = KazooClient(hosts=hosts, timeout=timeout, **session)
        client.start(PATIENCE_S)
        return client

    def write(self, server, names):
        client = self.client(server)
        for name in names:
            client.create(name, b"data of " + name.encode())
        client.stop()
        client.close()


def play(ensemble):
    """Everything that servers say to each other without a reconfiguration."""
    ensemble.start(1)
    time.sleep(5)
    ensemble.start(2)
    first = ensemble.wait(1, 2)
    assert first == 2, first
    ensemble.start(3)
    ensemble.wait(3)
    # Requests of clients through a follower: sessions, identities, errors, a sync, a multi.
    client = ensemble.client(1)
    client.add_auth("digest", "user:password")
    client.create("/a", b"one")
    client.create("/a/e", b"", ephemeral=True)
    client.set("/a", b"two")
    transaction = client.transaction()
    transaction.check("/a", 1)
    transaction.create("/a/t", b"three")
    transaction.commit()
    transaction = client.transaction()
    transaction.delete("/none")
    transaction.commit()
    client.sync("/a")
    # The session moves to another follower, which asks the leader for it; so does an unknown one.
    moved = ensemble.client(3, client_id=client.client_id)
    moved.delete("/a/t")
    time.sleep(3)
    moved.stop()
    moved.close()
    client.stop()
    unknown = ensemble.client(3, client_id=(0x1234567, b"0123456789abcdef"))
    unknown.stop()
    unknown.close()
    # A follower that lacks some txns, one whose disk is empty, an observer.
    ensemble.kill(1)
    ensemble.write(2, ["/b", "/b/1", "/b/2"])
    ensemble.start(1)
    ensemble.wait(1)
    ensemble.kill(1)
    subprocess.run(["rm", "-r", f"{ensemble.data(1)}/version-2"], check=True)
    ensemble.start(1)
    ensemble.wait(1)
    ensemble.start(4)
    ensemble.wait(4)
    ensemble.write(4, ["/c", "/c/1"])
    ensemble.write(1, ["/d"])
    time.sleep(2)
    # A leader that alone holds a txn: the followers are stopped before it proposes. The session
    # must not expire: a txn of the next epoch would come before the truncation.
    writer = ensemble.client(2, timeout=600)
    ensemble.pause(1, 3, 4)
    writer.create_async("/lost", b"")
    time.sleep(1)
    ensemble.kill(2, 1, 3, 4)
    writer.stop()
    ensemble.start(1, 3)
    ensemble.wait(1, 3)
    ensemble.start(2)
    ensemble.wait(2)
    time.sleep(2)
    ensemble.kill(1, 2, 3)


def kinds(links):
    """The types of packets that leaders sent."""
    for link in links:
        if link.name == "learner":
            said, at = bytes(link.said["acceptor"]), 0
            for end in whole_packets(said):
                yield struct.unpack_from(">i", said, at)[0]
                at = end


def whole_messages(said):
    """The ends of the messages of an election link's direction."""
    at = 0
    if said[:4] == b"\xff" * 4:
        at = 20 + struct.unpack_from(">i", said, 16)[0]
        yield at
    while at + 4 <= len(said):
        at += 4 + struct.unpack_from(">i", said, at)[0]
        if at <= len(said):
            yield at


def whole_packets(said):
    """The ends of the packets of a learner link's direction, a snapshot counted to its packet."""
    def field(at):
        return 4 + max(struct.unpack_from(">i", said, at)[0], 0)

    at = 0
    try:
        while at < len(said):
            kind = struct.unpack_from(">i", said, at)[0]
            at += 12 + field(at + 12)
            count = max(struct.unpack_from(">i", said, at)[0], 0)
            at += 4
            for _ in range(2 * count):
                at += field(at)
            if kind == SNAP:
                at = said.index(SNAPSHOT_END, at) + len(SNAPSHOT_END)
            if at <= len(said):
                yield at
    except (struct.error, ValueError):
        return


def keep(link, index, out):
    """Writes what was said on a link, cut behind a whole packet."""
    for side, said in link.said.items():
        said = bytes(said)
        ends = list(whole_messages(said) if link.name == "election" else whole_packets(said))
        kept = [end for end in ends if end <= KEPT_BYTES] or ends[:1]
        if kept:
            name = f"{index:02}-{link.name}-{link.opener}-to-{link.acceptor}.{side}"
            with open(f"{out}/{name}", "wb") as file:
                file.write(said[:kept[-1]])


def main():
    out, first_port = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="record-ensemble-") as folder:
        ensemble = Ensemble(folder, first_port)
        try:
            play(ensemble)
        finally:
            for process in ensemble.running.values():
                process.kill()
        missing = EXPECTED - set(kinds(ensemble.relay.links))
        if missing:
            sys.exit(f"record_ensemble.py: no packets of types {missing}: run it once more")
        for index, link in enumerate(ensemble.relay.links):
            keep(link, index, out)


if __name__ == "__main__":
    main()
