"""The client that ``schema/README.md`` prints, run as it stands there."""

import re
import socket
import threading

from golden import SCHEMA


def test_the_thirty_line_client_reads_a_batch(tmp_path, daemon, capsys, monkeypatch):
    text = (SCHEMA / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    thread = threading.Thread(target=lambda: daemon._serve(listener.accept()[0]))
    thread.start()
    monkeypatch.setenv("GROUNDWELL_SOCKET", path)
    names: dict = {}
    exec("\n".join(blocks), names)
    names["daemon"].socket.close()
    thread.join(5)
    listener.close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "image U8 [2, 8, 8, 3] 384"
    assert [line.split()[0] for line in lines] == [
        "image", "labels", "target", "category", "triplet", "probability",
    ]
    assert daemon.sent("batch.get") == [{"stream": 1, "k": 0}]
