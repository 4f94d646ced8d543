"""Locks, semaphores, elections, leases: holders, waiters, successors."""
import datetime
import os
import subprocess
import sys
import threading

import pytest
from kazoo.exceptions import LockTimeout
from kazoo.recipe.lease import MultiNonBlockingLease, NonBlockingLease

from conftest import eventually, together


class Inside:
    """Counts how many are inside, and the maximum so far."""

    def __init__(self):
        self.guard, self.now, self.most, self.entries = threading.Lock(), 0, 0, 0

    def __enter__(self):
        with self.guard:
            self.now += 1
            self.entries += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.guard:
            self.now -= 1


def test_lock_excludes(clients):
    inside = Inside()

    def work(client):
        for _ in range(12):
            with client.Lock("/lock", "worker"):
                with inside:
                    pass

    made = [clients() for _ in range(6)]
    together(*(lambda c=c: work(c) for c in made))
    assert (inside.most, inside.entries) == (1, 72)
    assert made[0].get_children("/lock") == []


def test_lock_is_given_in_order(clients):
    holder = clients()
    first = holder.Lock("/lock", "holder")
    assert first.acquire()
    order, waiting = [], []
    for number in range(5):
        client = clients()
        lock = client.Lock("/lock", f"waiter-{number}")

        def take(lock=lock, number=number):
            with lock:
                order.append(number)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        waiting.append(thread)
        eventually(lambda n=number: len(holder.get_children("/lock")) == n + 2, "one more waits")
    assert first.contenders() == ["holder"] + [f"waiter-{n}" for n in range(5)]
    assert order == []
    first.release()
    for thread in waiting:
        thread.join(60)
    assert order == [0, 1, 2, 3, 4]


def test_lock_without_waiting(clients):
    one, two = clients(), clients()
    held = one.Lock("/lock")
    assert held.acquire()
    assert not two.Lock("/lock").acquire(blocking=False)
    with pytest.raises(LockTimeout):
        two.Lock("/lock").acquire(timeout=0.2)
    assert len(one.get_children("/lock")) == 1, "those who gave up left nothing"
    one.stop()
    assert two.Lock("/lock").acquire(timeout=60), "a closed session holds nothing"


def test_processes_exclude(clients, shared, tmp_path):
    client = clients()
    client.create("/counted", b"0")
    notes = tmp_path / "notes"
    worker = os.path.join(os.path.dirname(__file__), "exclusion.py")
    argv = [sys.executable, worker, shared.hosts + clients.prefix, "/lock", str(notes), "10"]
    workers = [subprocess.Popen(argv) for _ in range(4)]
    assert [worker.wait(120) for worker in workers] == [0, 0, 0, 0]
    lines = notes.read_text().splitlines()
    assert len(lines) == 80
    for enter, leave in zip(lines[::2], lines[1::2]):
        assert (enter.split()[0], leave.split()[0]) == ("in", "out")
        assert enter.split()[1] == leave.split()[1]
    assert client.get("/counted")[0] == b"40"


def test_lock_of_a_killed_process(clients, shared):
    client = clients()
    code = (
        "import sys, time; from kazoo.client import KazooClient\n"
        "c = KazooClient(sys.argv[1], timeout=4.0); c.start(60); c.Lock('/lock').acquire()\n"
        "print('held', flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", code, shared.hosts + clients.prefix]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        lock = client.Lock("/lock")
        assert not lock.acquire(blocking=False)
        holder.kill()
    assert lock.acquire(timeout=60)


def test_readers_and_writers(clients):
    readers, writers = Inside(), Inside()
    all_in = threading.Barrier(6, timeout=60)

    def read(client):
        with client.ReadLock("/lock"):
            with readers:
                all_in.wait()  # all readers hold it at once; only now do writers start
                assert writers.now == 0

    def write(client):
        all_in.wait()
        for _ in range(5):
            with client.WriteLock("/lock"):
                with writers:
                    assert readers.now == 0

    made = [clients() for _ in range(6)]
    together(*(lambda c=c: read(c) for c in made[:3]), *(lambda c=c: write(c) for c in made[3:]))
    assert readers.most == 3
    assert (writers.most, writers.entries) == (1, 15)


def test_writer_waits_for_reader_and_reader_for_writer(clients):
    one, two = clients(), clients()
    read, write = one.ReadLock("/lock"), two.WriteLock("/lock")
    assert read.acquire()
    assert not write.acquire(blocking=False)
    read.release()
    assert write.acquire(timeout=60)
    assert not one.ReadLock("/lock").acquire(blocking=False)


def test_semaphore(clients):
    inside = Inside()
    full = threading.Barrier(3, timeout=60)

    def work(client):
        for _ in range(4):
            with client.Semaphore("/semaphore", max_leases=3):
                with inside:
                    full.wait()  # it admits as many as its limit

    made = [clients() for _ in range(6)]
    together(*(lambda c=c: work(c) for c in made))
    assert (inside.most, inside.entries) == (3, 24)
    assert made[0].Semaphore("/semaphore", max_leases=3).lease_holders() == []


def test_election(clients):
    made = [clients() for _ in range(4)]
    led, inside = [], Inside()

    def lead(number):
        with inside:
            led.append(number)

    elections = [client.Election("/election", f"n{i}") for i, client in enumerate(made)]
    together(*(lambda i=i, e=e: e.run(lead, i) for i, e in enumerate(elections)))
    assert sorted(led) == [0, 1, 2, 3]
    assert inside.most == 1


def test_election_passes_on(clients):
    one, two = clients(), clients()
    leads, over, second = threading.Event(), threading.Event(), threading.Event()
    first = one.Election("/election", "one")

    def lead():
        leads.set()
        over.wait(60)

    threads = [threading.Thread(target=first.run, args=(lead,), daemon=True)]
    threads[0].start()
    assert leads.wait(60)
    follower = two.Election("/election", "two")
    threads.append(threading.Thread(target=follower.run, args=(second.set,), daemon=True))
    threads[1].start()
    eventually(lambda: follower.contenders() == ["one", "two"], "two stand for election")
    assert not second.is_set()
    over.set()
    assert second.wait(60)
    for thread in threads:
        thread.join(60)


def test_lease(clients):
    now = [datetime.datetime(2020, 1, 1)]
    hour = datetime.timedelta(hours=1)

    def lease(client, name, kind=NonBlockingLease, *count):
        return bool(kind(client, *count, "/lease", hour, identifier=name, utcnow=lambda: now[0]))

    one, two = clients(), clients()
    assert lease(one, "one")
    assert not lease(two, "two")
    assert lease(one, "one"), "a lease can be prolonged"
    now[0] += 2 * hour
    assert lease(two, "two"), "one that ran out can be taken"
    assert not lease(one, "one")


def test_multi_lease(clients):
    now = datetime.datetime(2020, 1, 1)
    hour = datetime.timedelta(hours=1)
    made = [clients() for _ in range(5)]
    got = [
        bool(MultiNonBlockingLease(c, 3, "/leases", hour, identifier=str(i), utcnow=lambda: now))
        for i, c in enumerate(made)
    ]
    assert got == [True, True, True, False, False]
