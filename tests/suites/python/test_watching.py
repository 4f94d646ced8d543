"""Watchers and caches: they receive what happened, in order."""
import threading

from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.watchers import PatientChildrenWatch

from conftest import break_connection, eventually


def test_data_watch(clients):
    one, two = clients(), clients()
    seen = []

    @one.DataWatch("/node")
    def watch(data, stat, event):
        seen.append((data, stat.version if stat else None, event.type if event else None))

    assert seen == [(None, None, None)]
    two.create("/node", b"0")
    eventually(lambda: seen[-1][0] == b"0", "the node is seen")
    for number in range(1, 30):
        two.set("/node", str(number).encode())
    eventually(lambda: seen[-1][0] == b"29", "the last value is seen")
    versions = [version for _, version, _ in seen[1:]]
    assert versions == sorted(set(versions)), "never backwards, never twice"
    assert all(data == str(version).encode() for data, version, _ in seen[1:])
    two.delete("/node")
    eventually(lambda: seen[-1] == (None, None, EventType.DELETED), "the end is seen")
    two.create("/node", b"again")
    eventually(lambda: seen[-1][0] == b"again", "so is the new beginning")


def test_data_watch_ends(clients):
    one, two = clients(), clients()
    two.create("/node", b"0")
    seen = []

    @one.DataWatch("/node")
    def watch(data, stat):
        seen.append(data)
        return data != b"stop"

    two.set("/node", b"stop")
    eventually(lambda: seen[-1] == b"stop", "the sign to stop is seen")
    two.set("/node", b"unheard")
    one.sync("/node")
    assert one.get("/node")[0] == b"unheard"
    assert seen[-1] == b"stop"


def test_children_watch(clients):
    one, two = clients(), clients()
    two.ensure_path("/parent")
    seen = []

    @one.ChildrenWatch("/parent", send_event=True)
    def watch(children, event):
        seen.append(set(children))

    names = {f"child-{n}" for n in range(25)}
    for name in sorted(names):
        two.create(f"/parent/{name}")
    eventually(lambda: seen[-1] == names, "all children are seen")
    assert all(a < b for a, b in zip(seen, seen[1:])), "each time more"
    two.delete("/parent/child-3")
    eventually(lambda: seen[-1] == names - {"child-3"}, "one is gone")


def test_patient_children_watch(clients):
    one, two = clients(), clients()
    two.ensure_path("/parent")
    result = PatientChildrenWatch(one, "/parent", time_boundary=0.3).start()
    for number in range(3):
        two.create(f"/parent/{number}")
    children, changed = result.get(timeout=60)
    assert set(children) <= {"0", "1", "2"}
    two.create("/parent/later")
    changed.get(timeout=60)


def test_watches_survive_a_break(clients):
    one, two = clients(), clients()
    two.create("/node", b"0")
    two.ensure_path("/parent")
    data, children = [], []
    one.DataWatch("/node", lambda value, stat: data.append(value))
    one.ChildrenWatch("/parent", lambda names: children.append(set(names)))
    for number in range(1, 4):
        break_connection(one)
        two.set("/node", str(number).encode())
        two.create(f"/parent/{number}")
        eventually(lambda n=number: data[-1] == str(n).encode(), "the value after a break")
        eventually(lambda n=number: len(children[-1]) == n, "the children after a break")
    assert data == [b"0", b"1", b"2", b"3"]


def test_tree_cache(clients):
    one, two = clients(), clients()
    two.ensure_path("/top/a/b")
    cache = TreeCache(one, "/top")
    events, ready = [], threading.Event()

    def listen(event):
        events.append((event.event_type, event.event_data.path if event.event_data else None))
        if event.event_type == TreeEvent.INITIALIZED:
            ready.set()

    cache.listen(listen)
    cache.start()
    assert ready.wait(60)
    assert cache.get_children("/top/a") == {"b"}
    two.set("/top/a/b", b"x")
    two.create("/top/a/c", b"c")
    two.delete("/top/a/b")
    eventually(lambda: cache.get_children("/top/a") == {"c"}, "the cache follows")
    # The cache knows of a child before it has its data, which come by a request of their own.
    eventually(
        lambda: (node := cache.get_data("/top/a/c")) is not None and node.data == b"c",
        "with the data",
    )
    removed = (TreeEvent.NODE_REMOVED, "/top/a/b")
    eventually(lambda: removed in events, "the listener is notified")
    break_connection(one)
    two.create("/top/d", b"d")
    eventually(lambda: cache.get_data("/top/d") is not None, "it follows after a break")
    cache.close()
