"""A worker process: takes a lock a number of times, and records in a file that it is alone.

exclusion.py HOSTS PATH NOTES ROUNDS - every line that it adds to NOTES is "in ID" or "out ID".
"""
import os
import sys

from kazoo.client import KazooClient

hosts, path, notes, rounds = sys.argv[1:]
client = KazooClient(hosts, timeout=20.0)
client.start(timeout=60)
lock = client.Lock(path, str(os.getpid()))
with open(notes, "a", encoding="ascii", buffering=1) as out:
    for _ in range(int(rounds)):
        with lock:
            out.write(f"in {os.getpid()}\n")
            value, stat = client.get("/counted")
            client.set("/counted", str(int(value) + 1).encode(), version=stat.version)
            out.write(f"out {os.getpid()}\n")
client.stop()
