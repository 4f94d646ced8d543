"""Thousands of clients in one thread that do nothing but stay: each has a session and an ephemeral node, and goes on at another
server when it loses its own."""

import asyncio
import random
import struct
import threading

from writers import CREATE, OPEN_ACL, string

SESSION_MS = 10_000
PING_S = SESSION_MS / 3000
PING, PING_XID, EPHEMERAL, EXISTS = 11, -2, 1, 3
# A server that is drained closes what connects: others are asked soon.
RETRY_S = 0.05


class Wanderer:
    """One of them."""

    def __init__(self, crowd, number):
        self.crowd = crowd
        self.path = f"/wanderer-{number}".encode()
        self.session, self.password, self.last_zxid = 0, bytes(16), 0
        self.port = None

    async def live(self, first):
        while True:
            # As clients do: any server but the one that was lost.
            ports = [port for port in self.crowd.ports if port != self.port]
            port = first if first is not None else random.choice(ports)
            first = None
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await self.attach(reader, writer)
                self.port = port
                await self.stay(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                await asyncio.sleep(RETRY_S)
            finally:
                if writer is not None:
                    writer.close()

    async def attach(self, reader, writer):
        session = self.session
        request = struct.pack(">iqiq", 0, self.last_zxid, SESSION_MS, session)
        send(writer, request + string(self.password) + b"\0")
        answer = await receive(reader)
        _, _, granted, length = struct.unpack_from(">iiqi", answer)
        if granted == 0:
            # It has expired; there is no other reason for that answer.
            self.crowd.lost += 1
            self.session, self.password = 0, bytes(16)
            raise OSError("the session has expired")
        self.session, self.password = granted, answer[20 : 20 + length]
        if session == 0:
            body = string(self.path) + string(b"") + OPEN_ACL + struct.pack(">i", EPHEMERAL)
            await self.call(reader, writer, 1, CREATE, body)
            self.crowd.settled += 1

    async def stay(self, reader, writer):
        unanswered = 0
        while unanswered < 2:
            # That the server has closed shows at once.
            try:
                pause = PING_S * random.uniform(0.8, 1.0)
                (length,) = struct.unpack(">i", await asyncio.wait_for(reader.readexactly(4), pause))
                await reader.readexactly(length)
                unanswered = 0
            except asyncio.TimeoutError:
                send(writer, struct.pack(">ii", PING_XID, PING))
                unanswered += 1

    async def call(self, reader, writer, xid, kind, body):
        send(writer, struct.pack(">ii", xid, kind) + body)
        answer = await receive(reader)
        _, zxid, err = struct.unpack_from(">iqi", answer)
        self.last_zxid = max(self.last_zxid, zxid)
        return err


def send(writer, body):
    writer.write(struct.pack(">i", len(body)) + body)


async def receive(reader):
    (length,) = struct.unpack(">i", await asyncio.wait_for(reader.readexactly(4), SESSION_MS / 1500))
    return await reader.readexactly(length)


class Crowd(threading.Thread):
    """All of them; they begin at one server."""

    def __init__(self, ports, count, first):
        super().__init__(daemon=True)
        self.ports, self.first = ports, first
        self.settled = self.lost = 0
        self.all = [Wanderer(self, number) for number in range(count)]

    def run(self):
        asyncio.run(self.live())

    async def live(self):
        tasks = []
        for at, wanderer in enumerate(self.all):
            tasks.append(asyncio.create_task(wanderer.live(self.first)))
            if at % 50 == 49:
                await asyncio.sleep(0.02)
        await asyncio.gather(*tasks)

    def nodes(self):
        """The paths that should be there."""
        return [wanderer.path for wanderer in self.all]
