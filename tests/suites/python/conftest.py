"""A server run by SERVER_CMD, and its clients, which end with their test."""
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
from kazoo.client import KazooClient, KazooState

PATIENCE = 60


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Server:
    """A process on a folder and a port that stay the same over restarts."""

    def __init__(self, folder, lines=""):
        [self.port] = free_ports(1)
        self.hosts = f"127.0.0.1:{self.port}"
        self.config = os.path.join(folder, "zoo.cfg")
        self.log = os.path.join(folder, "log")
        self.process = None
        with open(self.config, "w", encoding="ascii") as config:
            config.write(
                f"tickTime=200\nmaxSessionTimeout=60000\ndataDir={folder}/data\n"
                f"clientPort={self.port}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n"
                "admin.enableServer=false\n4lw.commands.whitelist=*\n" + lines
            )
        os.makedirs(f"{folder}/data", exist_ok=True)
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*shlex.split(os.environ["SERVER_CMD"]), self.config], stdout=log, stderr=log
            )
        end = time.monotonic() + PATIENCE
        while not self.serves():
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                pytest.fail("the server does not serve: " + open(self.log, encoding="utf8").read())
            time.sleep(0.02)

    def serves(self):
        return b"Mode:" in self.word(b"srvr")

    def word(self, word):
        answer = b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as stream:
                stream.sendall(word)
                while piece := stream.recv(4096):
                    answer += piece
        except OSError:
            pass
        return answer

    def kill(self):
        """SIGKILL: what the server has acknowledged must be on its disk."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()


@pytest.fixture(scope="session")
def shared():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        yield server
        server.kill()


@pytest.fixture
def own_server(tmp_path):
    """For tests that kill it."""
    server = Server(str(tmp_path))
    yield server
    server.kill()


class Clients:
    """Makes clients of one server, each below the test's own prefix."""

    def __init__(self, server, prefix):
        self.server, self.prefix, self.made = server, prefix, []

    def __call__(self, timeout=20.0):
        if not self.made:
            top = KazooClient(self.server.hosts, timeout=timeout)
            top.start(timeout=PATIENCE)
            top.ensure_path(self.prefix)
            self.made.append(top)
        client = KazooClient(self.server.hosts + self.prefix, timeout=timeout)
        client.start(timeout=PATIENCE)
        self.made.append(client)
        return client

    def end(self):
        for client in self.made:
            client.stop()
            client.close()


@pytest.fixture
def clients(shared, request):
    made = Clients(shared, "/" + request.node.name.replace("[", "-").replace("]", ""))
    yield made
    made.end()


@pytest.fixture
def own_clients(own_server):
    made = Clients(own_server, "/own")
    yield made
    made.end()


def eventually(holds, what="it"):
    """Waits until holds() is true, with a generous limit."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.01)


def together(*functions):
    """Runs functions in threads of their own; an exception in one of them is raised here."""
    raised = []

    def run(function):
        try:
            function()
        except BaseException as error:  # noqa: reraised in the test's thread
            raised.append(error)

    threads = [threading.Thread(target=run, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
        assert not thread.is_alive(), "a thread does not end"
    if raised:
        raise raised[0]


def break_connection(client):
    """Closes the socket under a client, as a network would, and waits until it has reconnected."""
    lost, back = threading.Event(), threading.Event()

    def listen(state):
        if state == KazooState.SUSPENDED:
            lost.set()
        elif state == KazooState.CONNECTED and lost.is_set():
            back.set()

    client.add_listener(listen)
    client._connection._socket.shutdown(socket.SHUT_RDWR)
    assert back.wait(PATIENCE), "the client does not come back"
    client.remove_listener(listen)
