"""Clients that set a node all the time, on whichever server takes them."""

import random
import socket
import struct
import threading
import time

SESSION_MS = 10_000
# As ZooKeeper's clients do.
SILENCE_S_MAX = SESSION_MS / 1000 * 2 / 3
RETRY_S = 0.01
CREATE, SET, NODE_EXISTS = 1, 5, -110
OPEN_ACL = struct.pack(">ii", 1, 31) + b"".join(
    struct.pack(">i", len(text)) + text for text in (b"world", b"anyone")
)


def string(text):
    return struct.pack(">i", len(text)) + text


class Writer(threading.Thread):
    """One client, with a session that it keeps: it sets a node, and waits for the answer."""

    def __init__(self, ports, number):
        super().__init__(daemon=True)
        self.ports = ports
        self.path = f"/writer-{number}".encode()
        self.session, self.password = 0, bytes(16)
        self.last_zxid = 0
        self.is_asked_to_stop = threading.Event()
        # When each set was acknowledged.
        self.acknowledged = []

    def run(self):
        while not self.is_asked_to_stop.is_set():
            try:
                with socket.create_connection(
                    ("127.0.0.1", random.choice(self.ports)), timeout=1
                ) as stream:
                    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    stream.settimeout(SILENCE_S_MAX)
                    self.attach(stream)
                    self.write(stream)
            except OSError:
                time.sleep(RETRY_S)

    def attach(self, stream):
        session, password = self.session, self.password
        request = struct.pack(">iqiq", 0, self.last_zxid, SESSION_MS, session)
        self.send(stream, request + string(password) + b"\0")
        answer = self.receive(stream)
        _, _, self.session, length = struct.unpack_from(">iiqi", answer)
        self.password = answer[20 : 20 + length]
        if self.session == 0:
            self.password = bytes(16)
            raise OSError("the session has expired")
        if self.session != session:
            err = self.call(stream, CREATE, string(self.path) + string(b"") + OPEN_ACL + bytes(4))
            if err not in (0, NODE_EXISTS):
                raise OSError(f"create: {err}")

    def write(self, stream):
        while not self.is_asked_to_stop.is_set():
            err = self.call(stream, SET, string(self.path) + string(b"x" * 100) + b"\xff" * 4)
            if err != 0:
                raise OSError(f"set: {err}")
            self.acknowledged.append(time.monotonic())

    def call(self, stream, kind, body):
        self.send(stream, struct.pack(">ii", 1, kind) + body)
        _, zxid, err = struct.unpack_from(">iqi", self.receive(stream))
        self.last_zxid = max(self.last_zxid, zxid)
        return err

    @staticmethod
    def send(stream, body):
        stream.sendall(struct.pack(">i", len(body)) + body)

    @staticmethod
    def receive(stream):
        def exactly(count):
            data = b""
            while len(data) < count:
                piece = stream.recv(count - len(data))
                if not piece:
                    raise OSError("closed")
                data += piece
            return data

        return exactly(struct.unpack(">i", exactly(4))[0])


class Writers:
    """Several of them, until the end of the block."""

    def __init__(self, ports, count):
        self.writers = [Writer(ports, number) for number in range(count)]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_):
        for writer in self.writers:
            writer.is_asked_to_stop.set()
        for writer in self.writers:
            writer.join(SILENCE_S_MAX)

    def acknowledged_since(self, since):
        """When sets of any client were acknowledged, and `since` itself."""
        times = [at for writer in self.writers for at in writer.acknowledged[:] if at > since]
        return [since, *sorted(times)]
