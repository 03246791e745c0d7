"""Who may talk to whom: the kernel's word for the user at the other end decides, not file modes."""

import os
import socket
import stat
import subprocess
import sys
import tempfile

import groundwell
import pytest
from groundwell import GroundwellError
from service import Manager

NOBODY = 65534

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")

ASK = """
import os, socket, sys
os.setgid(int(sys.argv[2])); os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(10)
try:
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"status","params":{}}\\n')
    print(repr(s.recv(100)))
except OSError as error:
    print("closed", error.errno)
"""


@needs_root
@pytest.mark.parametrize("group", [NOBODY, 0])
def test_another_user_is_refused_whatever_the_modes_are(binaries, group):
    """Also one who shares the daemon's group."""
    with Manager(binaries) as manager:
        manager.start()
        os.chmod(manager.folder, 0o777)
        os.chmod(manager.socket, 0o777)
        run = subprocess.run(
            [sys.executable, "-c", ASK, manager.socket, str(group)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() in ("b''", "closed 32", "closed 104"), run.stdout
        assert "refused another user" in manager.log()
        manager.client().close()


@needs_root
def test_a_client_does_not_speak_to_another_users_daemon():
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        os.chmod(folder, 0o777)
        path = os.path.join(folder, "s")
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.setuid(NOBODY)
            made = socket.socket(socket.AF_UNIX)
            made.bind(path)
            made.listen(4)
            os.write(told, b"x")
            connection, _ = made.accept()
            said = connection.recv(1)
            os._exit(0 if said == b"" else 1)
        os.read(ready, 1)
        with pytest.raises(GroundwellError) as caught:
            groundwell.connect(path, timeout=5)
        assert caught.value.word == "not_running"
        assert f"runs as user {NOBODY}, you are 0" in str(caught.value)
        assert os.waitpid(child, 0)[1] == 0  # Not a byte was said.


def test_everything_of_the_daemon_is_its_owners_alone(binaries):
    with Manager(binaries) as manager:
        old = os.umask(0)
        try:
            manager.start()
        finally:
            os.umask(old)
        with manager.client() as client:
            client.backfill({"cat": 1}, engine="nobody", companions=False)
        for folder, names, files in os.walk(manager.folder / "store"):
            for name in [".", *names, *files]:
                mode = os.stat(os.path.join(folder, name)).st_mode
                assert stat.S_IMODE(mode) & 0o077 == 0, (folder, name, oct(mode))
        assert stat.S_IMODE(os.stat(manager.socket).st_mode) == 0o600
