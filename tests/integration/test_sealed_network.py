"""Without any network Recoup does all its work, and no connection is opened that nobody configured.

The commands run in a network namespace of their own whose only interface is the loopback. The kernel counts there
what was sent out or could not be sent; an audit hook and a wrapper around libpq write down each address by name.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import tiny_book
from fault_scenes import own_home
from tiny_book import START

ALLOWED_PROGRAMS = {"postgres", "initdb", "test", "readlink"}

# Enters a namespace with a loopback and nothing else, as the same user, then runs each command given as JSON.
SEALED = """
import ctypes, fcntl, json, os, socket, struct, subprocess, sys
def seal():
    user, group = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWNET if user == 0 else os.CLONE_NEWNET | os.CLONE_NEWUSER)
    if user != 0:
        open("/proc/self/setgroups", "w").write("deny")
        open("/proc/self/uid_map", "w").write(f"{user} {user} 1")
        open("/proc/self/gid_map", "w").write(f"{group} {group} 1")
    with socket.socket() as asked:  # SIOCSIFFLAGS: the loopback up and running
        fcntl.ioctl(asked, 0x8914, struct.pack("16sh", b"lo", 0x41))
def count(name):
    lines = [line.split() for line in open(f"/proc/net/{name}")]
    if name == "snmp6":
        return {key: int(value) for key, value in lines}
    pairs = zip(lines[::2], lines[1::2])
    return {keys[0] + key: int(value) for keys, values in pairs for key, value in zip(keys[1:], values[1:])}
def read():
    seen = count("snmp") | count("snmp6")
    names = ("Ip:OutNoRoutes", "Ip6OutNoRoutes", "Tcp:ActiveOpens", "Udp:OutDatagrams", "Udp6OutDatagrams")
    return {name: seen[name] for name in names}
try:
    refused = seal()
except OSError as error:
    refused = str(error)
told = {"refused": refused, "interfaces": [name for _, name in socket.if_nameindex()], "ended": [], "before": read()}
for words in json.loads(sys.argv[1]):
    done = subprocess.run(words, capture_output=True, text=True)
    told["ended"].append([done.returncode, (done.stdout + done.stderr)[-800:]])
told["after"] = read()
outside = ((socket.SOCK_STREAM, ("192.0.2.1", 443)), (socket.SOCK_DGRAM, ("192.0.2.53", 53)))
for kind, address in () if refused else outside:
    with socket.socket(type=kind) as trying:  # the counters do see an attempt
        trying.connect_ex(address)
told["tried"] = read()
print(json.dumps(told))
"""

# Runs one command of ours and writes down what it connects to, asks for, and starts.
WATCHED = """
import atexit, json, os, sys
seen = []
def watch(event, args):
    if event == "socket.connect":
        seen.append(["connect", str(args[1])])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        seen.append(["name", str(args[0])])
    elif event == "subprocess.Popen":
        seen.append(["program", os.path.basename(os.fsdecode(args[0]))])
sys.addaudithook(watch)
from psycopg import generators
from psycopg.conninfo import conninfo_to_dict
def connect(conninfo, *more, real=generators.connect, **named):
    seen.append(["database", str(conninfo_to_dict(conninfo).get("host"))])
    return real(conninfo, *more, **named)
generators.connect = connect
def write():
    with open(os.environ["WATCHED"], "a") as file:
        file.writelines(json.dumps(each) + "\\n" for each in seen)
atexit.register(write)
from recoup.cli.main import run
run()
"""


class Scene(NamedTuple):
    """What the namespace told, and what the commands connected to, asked for and started."""

    told: dict
    seen: list[list[str]]
    home: Path

    def of(self, kind: str) -> set[str]:
        """What was seen of a kind."""
        return {what for each, what in self.seen if each == kind}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """`init`, `load`, `cycle`, `report`, `verify` and the server's end, inside the namespace where there may be one."""
    with own_home() as home, pytest.MonkeyPatch.context() as patch:
        files = home / "files"
        files.mkdir()
        tiny_book.write_folder(files, tiny_book.make_files(40))
        patch.setenv("WATCHED", str(home / "watched"))
        commands = [
            ["init", "--kind", "demo"],
            ["load", str(files)],
            ["cycle", "--from", str(START), "--to", str(START)],
            ["report", "--html", str(home / "report.html")],
            ["verify"],
            ["server", "stop"],
        ]
        lines = [[sys.executable, "-c", WATCHED, *words] for words in commands]
        done = subprocess.run(
            [sys.executable, "-c", SEALED, json.dumps(lines)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        seen = [json.loads(line) for line in (home / "watched").read_text().splitlines()]
        yield Scene(json.loads(done.stdout), seen, home)


@pytest.fixture
def sealed(scene: Scene) -> Scene:
    """The scene, where the machine allowed a namespace without a network."""
    if scene.told["refused"]:
        pytest.skip(f"this machine lets us make no network namespace: {scene.told['refused']}")
    return scene


def test_every_command_ends_well(scene: Scene) -> None:
    assert [ended for ended in scene.told["ended"] if ended[0] != 0] == []
    assert (scene.home / "report.html").stat().st_size


def test_there_was_no_network(sealed: Scene) -> None:
    assert sealed.told["interfaces"] == ["lo"]


def test_the_kernel_saw_no_attempt_to_leave_the_machine(sealed: Scene) -> None:
    """Neither a connection, nor a datagram, nor a name asked for; not even a TCP connection to the loopback."""
    assert sealed.told["after"] == sealed.told["before"]


def test_the_kernel_would_have_seen_an_attempt(sealed: Scene) -> None:
    grown = sealed.told["tried"]["Ip:OutNoRoutes"] - sealed.told["after"]["Ip:OutNoRoutes"]
    assert grown == 2


def test_every_connection_goes_to_the_socket_of_our_own_server(scene: Scene) -> None:
    assert scene.of("database") == {str(scene.home / "run")}
    assert scene.of("connect") == set()
    assert scene.of("name") == set()


def test_no_program_is_started_but_those_of_our_server(scene: Scene) -> None:
    assert scene.of("program") <= ALLOWED_PROGRAMS
    assert "postgres" in scene.of("program")
    assert os.environ["RECOUP_HOME"] == str(scene.home)
