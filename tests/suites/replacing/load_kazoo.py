"""Clients by kazoo: locks, ephemeral nodes, watches, counters and sequences, until standard input ends.

load_kazoo.py HOSTS NOTES - see drive.py for what is noted and printed.
"""
import functools
import logging
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import BadVersionError, ConnectionClosedError, ConnectionLoss
from kazoo.protocol.states import EventType
from kazoo.retry import KazooRetry

LOST = (ConnectionLoss, ConnectionClosedError)
TOP = "/kazoo"


class Session:
    """A client, what its session was, and how often it lost its connection."""

    def __init__(self, hosts, first):
        hosts = hosts.split(",")
        hosts = hosts[first % 3:] + hosts[: first % 3]
        retry = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.3, ignore_expire=False)
        self.client = KazooClient(
            ",".join(hosts), timeout=20, randomize_hosts=False,
            connection_retry=retry.copy(), command_retry=retry.copy(),
        )
        self.losses, self.ended = 0, False
        self.client.start(timeout=60)
        self.id = self.client.client_id[0]
        self.client.add_listener(self.listen)

    def listen(self, state):
        self.losses += state == KazooState.SUSPENDED
        self.ended = self.ended or state == KazooState.LOST

    def until_known(self, call, *words, **named):
        """Repeats what may be repeated until it is answered."""
        while True:
            try:
                return call(*words, **named)
            except LOST:
                time.sleep(0.02)


class Worker:
    """Work in a thread with a session of its own; `check` says at last what is wrong, or what was done."""

    def __init__(self, hosts, number):
        self.number, self.session = number, Session(hosts, number)
        self.client = self.session.client
        self.error = None
        self.alive = f"{TOP}/alive/{type(self).__name__}-{number}"
        self.client.create(self.alive, ephemeral=True, makepath=True)
        self.born = self.client.exists(self.alive)
        self.prepare()

    def prepare(self):
        """Before all threads start."""

    def run(self):
        try:
            while not stopping.is_set():
                self.step()
        except Exception as error:  # noqa: reported at the end
            logging.exception("%s-%s", type(self).__name__, self.number)
            self.error = error

    def note(self, writer="-"):
        notes.write(f"{time.monotonic_ns()} {writer}\n")

    def remained(self):
        """Its session and its ephemeral node are those of the beginning."""
        stat = self.session.until_known(self.client.exists, self.alive)
        assert not self.session.ended and self.client.client_id[0] == self.session.id, "session lost"
        assert stat and (stat.czxid, stat.ephemeralOwner) == (self.born.czxid, self.session.id), stat


class Sequences(Worker):
    def prepare(self):
        self.made, self.unknown, self.sent = {}, set(), 0
        self.client.ensure_path(TOP + "/sequences")

    def step(self):
        self.sent += 1
        text = f"{self.number}-{self.sent}"
        try:
            path = self.client.create(TOP + "/sequences/s-", text.encode(), sequence=True)
        except LOST:
            self.unknown.add(text)
            return
        self.made[text] = path
        self.note(f"sequences-{self.number}")
        time.sleep(0.005)

    @staticmethod
    def check(workers, client):
        found = {}
        for name in client.get_children(TOP + "/sequences"):
            path = f"{TOP}/sequences/{name}"
            found.setdefault(client.get(path)[0].decode(), []).append(path)
        twice = [text for text, paths in found.items() if len(paths) > 1]
        assert not twice, f"made twice: {twice[:3]}"
        made = {text: path for worker in workers for text, path in worker.made.items()}
        unknown = {text for worker in workers for text in worker.unknown}
        lost = [text for text, path in made.items() if found.get(text) != [path]]
        assert not lost, f"{len(lost)} acknowledged nodes are not there: {lost[:3]}"
        assert set(found) <= set(made) | unknown, "nodes that nobody made"
        for worker in workers:
            paths = list(worker.made.values())
            assert paths == sorted(paths), "numbers go back"
        return f"{len(made)} nodes acknowledged and there, {len(unknown)} unknown"


class Locks(Worker):
    """A counter that is read and written under a lock: two holders at a time would lose an increment."""

    def prepare(self):
        self.held, self.wrote = [], []
        self.client.ensure_path(TOP + "/locked")
        self.lock = self.client.Lock(TOP + "/lock", str(self.number))

    def step(self):
        self.lock.acquire()
        begin = time.monotonic()
        value = int(self.session.until_known(self.client.get, TOP + "/locked")[0] or b"0") + 1
        self.session.until_known(self.client.set, TOP + "/locked", str(value).encode())
        self.wrote.append(value)
        self.held.append((begin, time.monotonic()))
        self.lock.release()
        self.note()

    @staticmethod
    def check(workers, client):
        wrote = sorted(value for worker in workers for value in worker.wrote)
        assert wrote == list(range(1, len(wrote) + 1)), "a value was written twice or never"
        assert int(client.get(TOP + "/locked")[0]) == len(wrote), "the last value"
        held = sorted(span for worker in workers for span in worker.held)
        both = [(a, b) for a, b in zip(held, held[1:]) if a[1] > b[0]]
        assert not both, f"held twice: {both[0]}"
        return f"{len(held)} times held, by one at a time"


class Counters(Worker):
    def prepare(self):
        self.counter = self.client.Counter(TOP + "/counter")
        self.added, self.retried = 0, 0

    def step(self):
        self.counter += 1
        self.added += 1
        self.note()
        time.sleep(0.005)

    @staticmethod
    def check(workers, client):
        # kazoo repeats what it has no answer to: that may count twice, once for each lost connection.
        added = sum(worker.added for worker in workers)
        losses = sum(worker.session.losses for worker in workers)
        value = int(client.get(TOP + "/counter")[0])
        assert added <= value <= added + losses, f"{added} added, {losses} losses, value {value}"
        return f"{added} added, value {value}, {losses} connections lost"


class Versions(Worker):
    """Sets with a version: what was not answered was done or not, and the next get tells which."""

    def prepare(self):
        self.path = f"{TOP}/versions-{self.number}"
        self.client.ensure_path(self.path)
        self.done, self.lost = 0, []

    def step(self):
        before = self.session.until_known(self.client.get_async, self.path).get
        try:
            stat = before(timeout=60)[1]
            wrong = stat.version not in (self.done, self.done + 1)
            if wrong:
                self.lost.append((self.done, stat.version))
            self.client.set(self.path, str(stat.version + 1).encode(), version=stat.version)
            self.done = stat.version + 1
            self.note(f"versions-{self.number}")
        except LOST:
            pass
        except BadVersionError:
            self.lost.append("an own set came late")
        time.sleep(0.005)

    @staticmethod
    def check(workers, client):
        for worker in workers:
            assert not worker.lost, f"{worker.path}: {worker.lost[:3]}"
            stat = client.exists(worker.path)
            assert stat.version in (worker.done, worker.done + 1), (stat, worker.done)
        return f"{sum(worker.done for worker in workers)} sets, each seen by the next get"


class Churn(Worker):
    """Ephemeral nodes that come and go."""

    def prepare(self):
        self.rounds = 0

    def step(self):
        path = f"{TOP}/alive/coming-{self.number}-{self.rounds}"
        self.rounds += 1
        try:
            self.client.create(path, ephemeral=True)
            assert self.client.exists(path).ephemeralOwner == self.session.id, path
            self.note(f"churn-{self.number}")
            self.client.delete(path)
            assert not self.client.exists(path), path
        except LOST:
            pass
        time.sleep(0.005)

    @staticmethod
    def check(workers, client):
        return f"{sum(worker.rounds for worker in workers)} ephemeral nodes came and went"


class Watches(Worker):
    """Reads with a watch, sets at another session, waits for the event.

    kazoo ends watches with a connection: it calls them with EventType.NONE, and they are set again.
    """

    def prepare(self):
        self.path = f"{TOP}/watched-{self.number}"
        self.client.ensure_path(self.path)
        self.writer = Session(",".join(self.client_hosts()), self.number + 1)
        self.fired, self.armed, self.rounds, self.reset, self.seen = [], 0, 0, 0, []
        self.client.DataWatch(self.path, self.see)

    def client_hosts(self):
        return [f"{host}:{port}" for host, port in self.client.hosts]

    def see(self, data, stat):
        self.seen.append(stat.version)

    def fire(self, number, event):
        self.fired.append((number, event.type))
        self.came.set()

    def arm(self):
        self.came = threading.Event()
        watch = functools.partial(self.fire, self.armed)
        version = self.session.until_known(self.client.get, self.path, watch=watch)[1].version
        self.armed += 1
        return version

    def step(self):
        version = self.arm()
        target = version + 1
        while True:
            try:
                self.writer.client.set(self.path, b"", version=version)
                break
            except BadVersionError:
                break  # this set was done before its connection was lost
            except LOST:
                time.sleep(0.02)
        self.note(f"watches-{self.number}")
        while version < target:
            assert self.came.wait(60), f"no event for version {target}; {self.fired[-3:]}"
            if self.fired[-1][1] != EventType.NONE:
                break
            self.reset += 1
            version = self.arm()
        self.rounds += 1
        self.target = target
        time.sleep(0.005)

    @staticmethod
    def check(workers, client):
        for worker in workers:
            numbers = sorted(number for number, _ in worker.fired)
            assert len(set(numbers)) == len(numbers), f"fired twice: {numbers[-5:]}"
            # The last may be armed still, if the set before it was seen by another read.
            missing = set(range(worker.armed)) - set(numbers)
            assert missing <= {worker.armed - 1}, f"never fired: {sorted(missing)[:5]}"
            assert worker.seen == sorted(set(worker.seen)), "DataWatch goes back"
            deadline = time.monotonic() + 60
            while worker.seen[-1] < worker.target and time.monotonic() < deadline:
                time.sleep(0.02)
            assert worker.seen[-1] == worker.target, (worker.seen[-1], worker.target)
            assert not worker.writer.ended, "session lost"
        rounds, reset = (sum(getattr(w, name) for w in workers) for name in ("rounds", "reset"))
        return f"{rounds} watches fired once, {reset} set again on another connection"


def check(hosts, workers):
    """Each kind of work, on every server."""
    kinds = {}
    for worker in workers:
        kinds.setdefault(type(worker), []).append(worker)
    for kind, group in kinds.items():
        try:
            for worker in group:
                if worker.error:
                    raise worker.error
                worker.remained()
            for host in hosts.split(","):
                reader = KazooClient(host, timeout=20)
                reader.start(timeout=60)
                reader.sync(TOP)
                done = kind.check(group, reader)
                reader.stop()
                reader.close()
            print(f"ok {kind.__name__.lower()}: {done}")
        except Exception as error:  # noqa: any is a failure of this kind of work
            print(f"not ok {kind.__name__.lower()}: {error!r}")
    losses = sum(worker.session.losses for worker in workers)
    lost = sum(worker.session.ended for worker in workers)
    print(f"{'not ' * (lost > 0)}ok sessions: {len(workers)}, {lost} lost, {losses} connections lost")


def main(hosts):
    works = [Sequences] * 3 + [Locks] * 3 + [Counters] * 3 + [Versions] * 3 + [Churn] * 2
    workers = [work(hosts, number) for number, work in enumerate(works + [Watches] * 3)]
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join(120)
        if thread.is_alive():
            print(f"not ok thread: {thread.name} does not end")
    check(hosts, workers)
    sys.stdout.flush()
    for worker in workers:
        worker.client.stop()


stopping = threading.Event()
if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    with open(sys.argv[2], "w", encoding="ascii", buffering=1) as notes:
        main(sys.argv[1])
