"""A pytest plugin: skips the tests that kazoo-deselected.txt names, with the reasons given there.

A reason that begins with `ensemble` is none when there are several servers (KAZOO_SERVERS).
"""
import fnmatch
import os

import pytest

ENSEMBLE = os.environ.get("KAZOO_SERVERS", "1") != "1"
LIST = os.path.join(os.path.dirname(__file__), "kazoo-deselected.txt")


def rules():
    """Pairs of a pattern on `file::Class::test` and its reason."""
    with open(LIST, encoding="ascii") as lines:
        for line in lines:
            pattern, _, reason = line.partition("#")
            one_only = reason.strip().startswith("ensemble")
            if pattern.strip() and not (one_only and ENSEMBLE):
                yield pattern.strip(), reason.strip()


def pytest_collection_modifyitems(items):
    known = list(rules())
    used = set()
    for item in items:
        name = item.nodeid.rsplit("/", 1)[-1]
        for pattern, reason in known:
            if fnmatch.fnmatchcase(name, pattern):
                item.add_marker(pytest.mark.skip(reason=reason))
                used.add(pattern)
                break
    stale = [pattern for pattern, _ in known if pattern not in used]
    if stale and len(items) > 400:
        raise pytest.UsageError(f"kazoo-deselected.txt names what is not there: {stale}")
