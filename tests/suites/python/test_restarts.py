"""The server is killed under load and restarted on its data."""
import threading

from kazoo.client import KazooState
from kazoo.exceptions import BadVersionError, ConnectionLoss, NodeExistsError, SessionExpiredError
from kazoo.exceptions import OperationTimeoutError, ConnectionClosedError
from kazoo.retry import KazooRetry

from conftest import eventually, together

LOST = (ConnectionLoss, ConnectionClosedError, OperationTimeoutError, SessionExpiredError)


def patient():
    return KazooRetry(max_tries=-1, delay=0.02, max_delay=0.5, deadline=None)


def test_session_and_data_outlive_a_restart(own_server, own_clients):
    client = own_clients(timeout=30.0)
    states = []
    client.add_listener(states.append)
    session = client.client_id
    for number in range(300):
        client.create(f"/node-{number:03}", str(number).encode())
    client.create("/ephemeral", ephemeral=True)
    before = client.get("/node-299")
    for _ in range(3):
        own_server.restart()
        assert patient()(client.get, "/node-299") == before
    assert client.client_id == session
    assert KazooState.LOST not in states
    assert len(client.get_children("/")) == 301
    assert client.exists("/ephemeral").ephemeralOwner == session[0]
    assert client.create("/s-", sequence=True) == "/s-0000000301"


def test_lock_outlives_a_restart(own_server, own_clients):
    holder, waiter = own_clients(timeout=30.0), own_clients(timeout=30.0)
    lock = holder.Lock("/lock", "holder")
    assert lock.acquire()
    got = threading.Event()

    def wait():
        with waiter.Lock("/lock", "waiter"):
            got.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    eventually(lambda: len(holder.get_children("/lock")) == 2, "the waiter waits")
    own_server.restart()
    patient()(holder.get_children, "/lock")
    patient()(waiter.get_children, "/lock")
    assert not got.is_set(), "a restart gives no lock away"
    assert len(holder.get_children("/lock")) == 2
    lock.release()
    assert got.wait(60)
    thread.join(60)


def test_watches_outlive_a_restart(own_server, own_clients):
    one, two = own_clients(timeout=30.0), own_clients(timeout=30.0)
    one.create("/node", b"0")
    seen, children = [], []
    one.DataWatch("/node", lambda data, stat: seen.append(data))
    one.ChildrenWatch("/", lambda names: children.append(set(names)))
    own_server.restart()
    patient()(two.set, "/node", b"1")
    patient()(two.create, "/more")
    eventually(lambda: seen[-1] == b"1", "the change after the restart")
    eventually(lambda: "more" in children[-1], "the child after the restart")
    assert seen == [b"0", b"1"]


def test_increments_are_counted_once(own_server, own_clients):
    """A writer whose answer was lost checks its own node, which changes in the same transaction."""
    writers, each = 5, 40
    made = [own_clients(timeout=30.0) for _ in range(writers)]
    made[0].create("/counter", b"0")

    def raise_once(client, own, done):
        value, stat = client.get("/counter")
        if client.exists(own).version > done:
            return
        transaction = client.transaction()
        transaction.set_data("/counter", str(int(value) + 1).encode(), version=stat.version)
        transaction.set_data(own, b"", version=done)
        result = transaction.commit()
        if isinstance(result[0], BadVersionError) or isinstance(result[1], Exception):
            raise BadVersionError

    def write(client, own):
        client.create(own)
        done = 0
        while done < each:
            try:
                raise_once(client, own, done)
                done += 1
            except (BadVersionError, *LOST):
                pass

    def disturb():
        for goal in (30, 80, 130):
            watcher = made[0]
            eventually(lambda: int(patient()(watcher.get, "/counter")[0]) >= goal, "it moves on")
            own_server.restart()

    together(disturb, *(lambda c=c, i=i: write(c, f"/own-{i}") for i, c in enumerate(made)))
    data, stat = patient()(made[0].get, "/counter")
    assert (data, stat.version) == (str(writers * each).encode(), writers * each)


def test_acknowledged_creates_stay(own_server, own_clients):
    client = own_clients(timeout=30.0)
    acknowledged, over = set(), threading.Event()

    def write():
        number = 0
        while not over.is_set():
            path = f"/n-{number:06}"
            try:
                client.create(path, path.encode())
            except NodeExistsError:
                pass  # the answer was lost, the node was not
            except LOST:
                continue
            acknowledged.add(path[1:])
            number += 1

    def disturb():
        for goal in (100, 200, 300, 400):
            eventually(lambda: len(acknowledged) >= goal, "writes go on")
            own_server.restart()
        over.set()

    together(write, disturb)
    found = set(patient()(client.get_children, "/"))
    assert acknowledged <= found and len(found - acknowledged) <= 1


def test_queue_over_a_restart(own_server, own_clients):
    one, two = own_clients(timeout=30.0), own_clients(timeout=30.0)
    queue = one.LockingQueue("/queue")
    queue.put_all([str(n).encode() for n in range(20)])
    other, taken = two.LockingQueue("/queue"), []
    for number in range(20):
        if number == 10:
            own_server.restart()
            patient()(two.get_children, "/queue")
        taken.append(other.get(timeout=60))
        assert other.consume()
    assert taken == [str(n).encode() for n in range(20)]
