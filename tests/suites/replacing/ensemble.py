"""Three servers on this machine, each by ZooKeeper or by the server under test, exchanged in place."""
import os
import shlex
import socket
import subprocess
import time

PATIENCE = 120
OURS, STOCK = "ours", "stock"
FILES = {OURS: "ringkeeper-1", STOCK: "version-2"}


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def until(holds, what):
    """Waits until holds() is true, with a generous limit."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"never: {what}")
        time.sleep(0.02)


class Server:
    """A process on a folder, with ports that stay the same whatever make it is."""

    def __init__(self, folder, number, port, lines):
        self.folder, self.number, self.port = folder, number, port
        self.data = os.path.join(folder, "data")
        self.config = os.path.join(folder, "zoo.cfg")
        self.process, self.make = None, None
        os.makedirs(self.data)
        with open(os.path.join(self.data, "myid"), "w", encoding="ascii") as myid:
            myid.write(f"{number}\n")
        with open(self.config, "w", encoding="ascii") as config:
            config.write(
                f"tickTime=500\ninitLimit=40\nsyncLimit=20\nmaxSessionTimeout=60000\n"
                f"dataDir={self.data}\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
                "maxClientCnxns=0\nsnapCount=2000\nadmin.enableServer=false\n"
                "4lw.commands.whitelist=*\n" + lines
            )

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def launch(self, make, command):
        self.make = make
        with open(os.path.join(self.folder, "log"), "ab") as log:
            log.write(f"-- {make}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [*shlex.split(command), self.config], stdout=log, stderr=log
            )

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def state(self):
        """What mntr says, as pairs; empty when it does not serve."""
        answer = b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as stream:
                stream.settimeout(5)
                stream.sendall(b"mntr")
                while piece := stream.recv(4096):
                    answer += piece
        except OSError:
            return {}
        lines = [line.split("\t") for line in answer.decode().splitlines()]
        return {line[0]: line[1] for line in lines if len(line) == 2}

    def move_away(self, name):
        """Moves a directory of data away, if it is there, under a name of its own."""
        path = os.path.join(self.data, name)
        if os.path.exists(path):
            taken = [each for each in os.listdir(self.data) if each.startswith(name + ".before")]
            os.rename(path, f"{path}.before-{len(taken) + 1}")


class Ensemble:
    def __init__(self, folder, commands, tool):
        """commands: of each make; tool: the program that converts data."""
        self.commands, self.tool = commands, tool
        ports = free_ports(9)
        lines = "".join(
            f"server.{n}=127.0.0.1:{ports[3 * n - 2]}:{ports[3 * n - 1]}\n" for n in (1, 2, 3)
        )
        self.servers = [
            Server(os.path.join(folder, f"server-{n}"), n, ports[3 * n - 3], lines)
            for n in (1, 2, 3)
        ]
        self.hosts = ",".join(server.address for server in self.servers)

    def launch(self):
        for server in self.servers:
            server.launch(STOCK, self.commands[STOCK])
        self.settle()

    def settle(self):
        """Waits until all serve and one leads the other two."""

        def settled():
            states = [server.state() for server in self.servers]
            led = [float(state.get("zk_synced_followers", 0)) for state in states]
            return all("zk_server_state" in state for state in states) and sum(led) == 2

        until(settled, "all three servers serve")

    def leader(self):
        for server in self.servers:
            if server.state().get("zk_server_state") == "leader":
                return server
        raise LookupError("no server leads")

    def exchange(self, server, make, converted):
        """Replaces a server: with nothing, so that it gets a copy, or with its data, converted."""
        server.stop()
        before, after = FILES[server.make], FILES[make]
        server.move_away(after)
        if converted:
            word = "import" if make == OURS else "export"
            words = [self.tool, word, server.data, "--to", server.data]
            done = subprocess.run(words, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        else:
            server.move_away(before)
        server.launch(make, self.commands[make])
        self.settle()

    def end(self):
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.process.kill()
                server.process.wait()
