"""The daemon under a service manager: readiness, watchdog, sockets that it is handed."""

import os
import shutil
import socket
import subprocess
import threading
import time

import harness
import pytest
from service import Manager, listening

#: Makes the disk stand still while a file is there: every sync waits for it to go.
SHIM = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void wait_for_disk(void) {
  const char *path = getenv("TEST_BLOCK");
  while (path && access(path, F_OK) == 0) usleep(10000);
}
int fdatasync(int file) { wait_for_disk(); return syscall(SYS_fdatasync, file); }
int fsync(int file) { wait_for_disk(); return syscall(SYS_fsync, file); }
"""


@pytest.mark.parametrize("abstract", [False, True])
def test_ready_reloading_and_stopping_are_told(binaries, abstract):
    with Manager(binaries, abstract=abstract) as manager:
        manager.start()
        manager.client().close()  # READY means that it answers.
        manager.hang_up()
        reloading = manager.message(10)
        assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert 0 <= now - int(reloading.partition("USEC=")[2]) < 10_000_000
        assert "READY=1" in manager.message(10)
        assert manager.stop() == 0
        assert "STOPPING=1" in manager.message(5)


def test_signs_of_life_come_in_half_the_time_that_is_allowed(binaries):
    with Manager(binaries, watchdog=2) as manager:
        manager.start()
        assert manager.count("WATCHDOG=1", 5) >= 4
        assert manager.stop() == 0


def test_no_signs_of_life_without_being_asked_or_for_another_process(binaries):
    with Manager(binaries) as manager:
        manager.start()
        assert manager.count("WATCHDOG=1", 1.5) == 0
    with Manager(binaries, watchdog=0.5) as manager:
        manager.start(WATCHDOG_PID=str(os.getpid()))
        assert manager.count("WATCHDOG=1", 1.5) == 0


def test_signs_of_life_stop_when_the_store_hangs_although_the_process_lives(binaries, tmp_path):
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source, shim, block = tmp_path / "shim.c", tmp_path / "shim.so", tmp_path / "block"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source], check=True)
    with Manager(binaries, watchdog=1) as manager:
        manager.start(LD_PRELOAD=str(shim), TEST_BLOCK=str(block))
        with manager.client() as client, manager.client() as other:
            assert manager.count("WATCHDOG=1", 2) >= 2
            block.touch()
            filler = threading.Thread(
                target=lambda: harness.fill(other, {"cat": 2}, 16), daemon=True
            )
            filler.start()
            manager.count("WATCHDOG=1", 1.5)
            assert manager.count("WATCHDOG=1", 2) == 0
            client.call("ping", {})  # What needs no disk is still answered.
            block.unlink()
            filler.join(20)
            assert manager.count("WATCHDOG=1", 2) >= 2
        assert manager.stop() == 0


def test_a_socket_that_is_handed_over_is_served_and_stays(binaries, tmp_path):
    path = str(tmp_path / "handed")
    made = listening(path)
    with Manager(binaries) as manager:
        manager.socket = path
        manager.start(passed=((made, "groundwelld"),), own_socket=False)
        with manager.client() as client:
            assert client.status()["socket"] == path
        # A client that comes while no daemon runs waits for the next one.
        assert manager.stop() == 0
        assert os.path.exists(path)
        early = socket.socket(socket.AF_UNIX)
        early.connect(path)
        manager.message(1)
        manager.start(passed=((made, "groundwelld"),), own_socket=False)
        early.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}\n')
        early.settimeout(10)
        assert b'"result":{}' in early.recv(4096)
        early.close()
    made.close()


def test_sockets_for_another_process_are_not_touched(binaries):
    with Manager(binaries) as manager:
        manager.start(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        manager.client().close()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("datagram", "is no listening stream socket: it does not listen for streams"),
        ("silent", "is no listening stream socket: it does not listen for streams"),
        ("port", "is no Unix socket with a path"),
        ("second", "is a second socket for clients"),
        ("open port", "is a port that other machines reach"),
    ],
)
def test_a_socket_that_does_not_fit_is_refused(binaries, tmp_path, kind, message):
    path = str(tmp_path / "handed")
    if kind == "datagram":
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(path)
        passed = ((made, "groundwelld"),)
    elif kind == "silent":
        made = socket.socket(socket.AF_UNIX)
        made.bind(path)
        passed = ((made, "groundwelld"),)
    elif kind == "second":
        passed = ((listening(path), ""), (listening(path + "2"), ""))
    else:
        made = socket.socket(socket.AF_INET)
        made.bind(("127.0.0.1" if kind == "port" else "0.0.0.0", 0))
        made.listen(1)
        passed = ((made, "metrics" if kind == "open port" else "groundwelld"),)
    with Manager(binaries) as manager:
        manager.start(passed=passed, own_socket=False, wait=False)
        assert manager.ended() == 1
        assert message in manager.log()
    for made, _ in passed:
        made.close()


def test_a_descriptor_that_is_not_there_is_refused(binaries):
    with Manager(binaries) as manager:
        manager.start(wait=False, LISTEN_FDS="x")
        # LISTEN_PID is missing: nothing was handed to this process, so it serves by itself.
        assert "READY=1" in manager.message(20)
