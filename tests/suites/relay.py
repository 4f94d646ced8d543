"""A relay for the links of an ensemble that keeps what goes through it, each direction for itself."""
import socket
import threading


class Link:
    """One connection: what its opener said, and what it was answered."""

    def __init__(self, name, opener, acceptor):
        self.name, self.opener, self.acceptor = name, opener, acceptor
        self.said = {"opener": bytearray(), "acceptor": bytearray()}


class Relay:
    """Relays the connections of any number of ports, on the loopback address."""

    def __init__(self):
        self.links = []
        self.lock = threading.Lock()

    def listen(self, port, target, name, opener, acceptor):
        """Relays a port to another: the connections of one server to one port of another."""
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        args = (listener, target, name, opener, acceptor)
        threading.Thread(target=self._accept, args=args, daemon=True).start()

    def _accept(self, listener, target, name, opener, acceptor):
        while True:
            client, _ = listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", target), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = Link(name, opener, acceptor)
            with self.lock:
                self.links.append(link)
            for side, source, sink in (("opener", client, server), ("acceptor", server, client)):
                args = (link.said[side], source, sink)
                threading.Thread(target=self._copy, args=args, daemon=True).start()

    @staticmethod
    def _copy(kept, source, sink):
        try:
            while piece := source.recv(65536):
                kept += piece
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
