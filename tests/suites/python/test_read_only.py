"""Three servers of which two are killed: read-only clients of the third, until it has a leader."""
import os
import shlex
import shutil
import signal
import subprocess

import pytest
from kazoo.client import KazooClient, KeeperState
from kazoo.exceptions import NoNodeError, NotReadOnlyCallError

from conftest import PATIENCE, Server, eventually, free_ports

STOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stock-server.sh")


class Member(Server):
    """A server of an ensemble, which serves no client before it has a leader."""

    def start(self):
        environment = {**os.environ, "JVMFLAGS": "-Dreadonlymode.enabled=true"}
        with open(self.log, "ab") as log:
            command = [*shlex.split(os.environ["SERVER_CMD"]), self.config]
            # A script that runs the server ends with it.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def ensemble(tmp_path):
    if "three-servers" in os.environ["SERVER_CMD"]:
        pytest.skip("each server is an ensemble already")
    # ZooKeeper's read-only servers give no sessions without local ones.
    lines = "initLimit=50\nsyncLimit=25\nlocalSessionsEnabled=true\n"
    for number, (quorum, election) in enumerate(zip(free_ports(3), free_ports(3)), 1):
        lines += f"server.{number}=127.0.0.1:{quorum}:{election}\n"
    members = []
    for number in (1, 2, 3):
        folder = tmp_path / str(number)
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "myid").write_text(f"{number}\n")
        members.append(Member(str(folder), lines))
    try:
        eventually(lambda: all(member.serves() for member in members))
        yield members
    finally:
        for member in members:
            member.kill()


def started(hosts, **options):
    client = KazooClient(hosts, timeout=10.0, **options)
    client.start(timeout=PATIENCE)
    return client


def isolated(members):
    """The last one, without the others."""
    writer = started(members[2].hosts)
    writer.create("/kept", b"data")
    writer.stop()
    for member in members[:2]:
        member.kill()
    eventually(lambda: members[2].word(b"isro") == b"ro")
    return members[2]


def test_a_client_that_may_read_only_does_so_until_there_is_a_leader(ensemble):
    alone = isolated(ensemble)
    hosts = ",".join(member.hosts for member in ensemble)
    client = started(hosts, read_only=True)
    assert client.client_state == KeeperState.CONNECTED_RO
    assert client.get("/kept")[0] == b"data"
    assert sorted(client.get_children("/")) == ["kept", "zookeeper"]
    assert client.exists("/none") is None
    with pytest.raises(NoNodeError):
        client.get("/none")
    for refused in (
        lambda: client.create("/new"),
        lambda: client.set("/kept", b"new"),
        lambda: client.delete("/kept"),
        lambda: client.sync("/"),
        lambda: client.set_acls("/kept", []),
    ):
        with pytest.raises(NotReadOnlyCallError):
            refused()
    # Another client is not let in.
    with pytest.raises(Exception):
        KazooClient(alone.hosts).start(timeout=3.0)
    session = client.client_id
    ensemble[0].start()
    eventually(lambda: client.client_state == KeeperState.CONNECTED)
    assert client.client_id != session
    assert client.retry(client.set, "/kept", b"new").version == 1
    client.stop()


def test_zookeepers_shell_reads(ensemble):
    jars = os.path.join(os.environ.get("SUITES", ""), "stock/3.9.5/ok")
    if shutil.which("java") is None or not os.path.exists(jars):
        pytest.skip("no ZooKeeper to run the shell of")
    alone = isolated(ensemble)

    def shell(*words):
        main = {"STOCK_MAIN": "org.apache.zookeeper.ZooKeeperMain", "STOCK_HEAP": "64m"}
        command = ["bash", STOCK, "-server", alone.hosts, *words]
        done = subprocess.run(
            command, env=os.environ | main, capture_output=True, text=True, timeout=PATIENCE
        )
        return done.stdout + done.stderr

    assert "data" in shell("-r", "get", "/kept").splitlines()
    assert "[kept, zookeeper]" in shell("-r", "ls", "/").splitlines()
    assert "Not a read-only call" in shell("-r", "create", "/new")
