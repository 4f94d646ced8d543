"""Queues, barriers, parties, counters, partitions: each item goes to one consumer, once."""
import threading

from kazoo.exceptions import BadVersionError, NoNodeError, NodeExistsError, RolledBackError
from kazoo.exceptions import RuntimeInconsistency
from kazoo.recipe.partitioner import PartitionState

from conftest import break_connection, eventually, together


def test_queue_gives_each_entry_once(clients):
    taken, guard = [], threading.Lock()
    count = 60

    def put(client, begin):
        queue = client.Queue("/queue")
        for number in range(begin, begin + count // 2):
            queue.put(str(number).encode())

    def take(client):
        queue = client.Queue("/queue")
        while len(taken) < count:
            entry = queue.get()
            if entry is not None:
                with guard:
                    taken.append(int(entry))

    made = [clients() for _ in range(5)]
    made[0].ensure_path("/queue")
    together(
        lambda: put(made[0], 0),
        lambda: put(made[1], count // 2),
        *(lambda c=c: take(c) for c in made[2:]),
    )
    assert sorted(taken) == list(range(count))


def test_queue_keeps_order_and_priority(clients):
    client = clients()
    queue = client.Queue("/queue")
    for entry, priority in ((b"c", 200), (b"a1", 100), (b"a2", 100), (b"first", 1)):
        queue.put(entry, priority)
    assert len(queue) == 4
    assert [queue.get() for _ in range(5)] == [b"first", b"a1", b"a2", b"c", None]


def test_locking_queue(clients):
    one, two = clients(), clients()
    queue, other = one.LockingQueue("/queue"), two.LockingQueue("/queue")
    queue.put_all([b"a", b"b"])
    assert queue.get(timeout=60) == b"a"
    assert queue.holds_lock()
    assert other.get(timeout=60) == b"b", "an item in work goes to no other consumer"
    assert queue.consume()
    two.stop()
    assert queue.get(timeout=60) == b"b", "what was not consumed comes back"
    assert queue.consume()
    assert len(queue) == 0


def test_barrier(clients):
    one, two = clients(), clients()
    barrier = one.Barrier("/barrier")
    barrier.create()
    assert not two.Barrier("/barrier").wait(0.2)
    passed = []
    waiter = threading.Thread(target=lambda: passed.append(two.Barrier("/barrier").wait(60)))
    waiter.start()
    assert barrier.remove()
    waiter.join(60)
    assert passed == [True]
    assert not barrier.remove()


def test_double_barrier(clients):
    count = 4
    entered, left = [], []

    def work(client, name):
        barrier = client.DoubleBarrier("/double", count, identifier=name)
        entered.append(name)
        barrier.enter()
        assert len(entered) == count, "in before all were there"
        left.append(name)
        barrier.leave()
        assert len(left) == count, "out before all were done"

    made = [clients() for _ in range(count)]
    together(*(lambda c=c, i=i: work(c, f"p{i}") for i, c in enumerate(made)))


def test_parties(clients):
    made = [clients() for _ in range(3)]
    parties = [client.Party("/party", f"guest-{i}") for i, client in enumerate(made)]
    shallow = [client.ShallowParty("/shallow", f"guest-{i}") for i, client in enumerate(made)]
    for party in parties + shallow:
        party.join()
    wanted = {"guest-0", "guest-1", "guest-2"}
    assert set(parties[0]) == wanted and len(parties[1]) == 3
    assert set(shallow[0]) == wanted and len(shallow[1]) == 3
    parties[1].leave()
    assert set(parties[0]) == wanted - {"guest-1"}
    made[2].stop()
    eventually(lambda: set(parties[0]) == {"guest-0"}, "a closed session leaves the party")
    assert set(shallow[0]) == {"guest-0", "guest-1"}


def test_counter(clients):
    def count(client):
        counter = client.Counter("/counter")
        for _ in range(15):
            counter += 2
            counter -= 1

    made = [clients() for _ in range(4)]
    made[0].ensure_path("/counter")
    together(*(lambda c=c: count(c) for c in made))
    assert made[0].Counter("/counter").value == 60
    real = made[0].Counter("/real", default=0.5)
    real += 0.25
    assert made[1].Counter("/real", default=0.5).value == 0.75


def test_transactions(clients):
    client = clients()
    transaction = client.transaction()
    transaction.create("/a", b"1")
    transaction.create("/s-", sequence=True)
    transaction.set_data("/a", b"2", version=0)
    transaction.check("/a", version=1)
    transaction.delete("/a", version=1)
    results = transaction.commit()
    assert results[:2] == ["/a", "/s-0000000001"]
    assert results[2].version == 1 and results[3:] == [True, True]
    assert not client.exists("/a")

    before = client.exists("/")
    transaction = client.transaction()
    transaction.create("/b")
    transaction.check("/s-0000000001", version=9)
    transaction.delete("/nowhere")
    kinds = [type(result) for result in transaction.commit()]
    assert kinds == [RolledBackError, BadVersionError, RuntimeInconsistency]
    assert not client.exists("/b") and client.exists("/") == before
    with client.transaction() as transaction:
        transaction.create("/c", b"c", ephemeral=True)
    assert client.exists("/c").ephemeralOwner == client.client_id[0]


def test_partitions(clients):
    names = [f"part-{n}" for n in range(7)]
    made = [clients() for _ in range(3)]
    parts, over = {}, threading.Event()
    guard = threading.Lock()

    def run(number, client):
        partitioner = client.SetPartitioner(
            "/partition", set=names, time_boundary=0.3, identifier=f"p{number}"
        )
        while not over.is_set():
            if partitioner.release:
                with guard:
                    parts.pop(number, None)
                partitioner.release_set()
            elif partitioner.acquired:
                with guard:
                    parts[number] = set(partitioner)
                    held = [name for part in parts.values() for name in part]
                    assert len(held) == len(set(held)), "a part has two owners"
                if sorted(held) == sorted(names) and len(parts) == 3:
                    over.set()
                over.wait(0.02)
            elif partitioner.allocating:
                partitioner.wait_for_acquire(0.2)
            assert partitioner.state != PartitionState.FAILURE
        over.wait(60)

    together(*(lambda n=n, c=c: run(n, c) for n, c in enumerate(made)))
    assert sorted(len(part) for part in parts.values()) == [2, 2, 3]


def test_retry(clients):
    client = clients()
    client.create("/value", b"0")
    together(
        lambda: [break_connection(client) for _ in range(3)],
        lambda: [client.retry(client.set, "/value", b"x") for _ in range(6)],
    )
    assert client.get("/value")[0] == b"x"
    for call, error in ((client.create, NodeExistsError), (client.delete, NoNodeError)):
        try:
            client.retry(call, "/value" if call == client.create else "/nowhere")
            raise AssertionError("an answer was taken for a fault of the connection")
        except error:
            pass
