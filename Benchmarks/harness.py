"""Runs a real daemon on a temporary store; shared by the programs of this folder and the demo."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Optional, Sequence

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))

import numpy as np  # noqa: E402

import groundwell  # noqa: E402
from groundwell import Client, GroundwellError, Mask, Provenance, WorkItem  # noqa: E402

START_SECONDS = 30.0
STOP_SECONDS = 30.0
#: An engine that no spawned worker has: its items are for the harness itself.
OWN_ENGINE = "harness"


def binary_folder(given: Optional[str]) -> Path:
    """Where ``groundwelld`` is: as given, else the newest of this checkout's builds."""
    if given:
        folder = Path(given).resolve()
        if not (folder / "groundwelld").is_file():
            sys.exit(f"{folder} holds no groundwelld; build first: swift build")
        return folder
    found = []
    for configuration in ("release", "debug"):
        command = ["swift", "build", "-c", configuration, "--show-bin-path"]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        program = Path(answer.stdout.strip()) / "groundwelld"
        if answer.returncode == 0 and program.is_file():
            found.append(program)
    if not found:
        sys.exit("no groundwelld in this checkout; build first: swift build -c release")
    return max(found, key=lambda program: program.stat().st_mtime).parent


class Daemon:
    """A daemon of our own: its store, its socket, its process and its log."""

    def __init__(
        self, binaries: Path, workers: int, options: Sequence[str] = (), folder: Optional[Path] = None
    ) -> None:
        """In ``folder``, which stays when it is given and not removed, else in a temporary one."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="groundwell-"))
        self.socket = str(self.folder / "sock")
        self.store = self.folder / "store"
        #: The daemon's environment; that of this program unless set.
        self.environment: Optional[dict[str, str]] = None
        self.log = self.folder / "daemon.log"
        self.process: Optional[subprocess.Popen[bytes]] = None
        self._binaries = binaries
        self._workers = workers
        self._options = list(options)

    def start(self, is_quiet: bool = False) -> Client:
        """Starts the daemon and returns a client once it answers; quietly, where it may not."""
        program = [str(self._binaries / "groundwelld"), "--store", str(self.store)]
        program += ["--socket", self.socket, "--workers", str(self._workers), *self._options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                program, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return groundwell.connect(self.socket, timeout=60)
            except GroundwellError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    if not is_quiet:
                        self.show_log()
                    raise RuntimeError(
                        f"groundwelld did not start (exit status {self.process.returncode}): "
                        f"{error}"
                    ) from None
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends the daemon as a power cut would end its process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """Asks the daemon to stop; returns its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"the daemon did not stop within {STOP_SECONDS:g} s", file=sys.stderr)
            self.kill()
            return -1
        finally:
            self.process = None

    def show_log(self) -> None:
        """Prints the end of the daemon's log."""
        lines = self.log.read_text(errors="replace").splitlines()[-20:]
        print("\n".join(["the daemon's last words:", *lines]), file=sys.stderr)

    def remove(self) -> None:
        """Removes the store; the daemon must have ended."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *unused: Any) -> None:
        self.remove()


def memory_bytes(process: int, field: str = "VmRSS") -> int:
    """Memory of a process: what it holds (``VmRSS``), or the most that it has held (``VmHWM``)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def descriptor_count(process: int) -> int:
    """Descriptors that a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def worker_processes(client: Client) -> list[int]:
    """The process ids of the workers that the daemon has spawned."""
    return [entry["process"] for entry in client.status()["workers"] if entry.get("process")]


def make_pixels(item: WorkItem) -> tuple[Any, Any]:
    """Noise and a random box, decided by the item alone."""
    side = item.image_size
    random = np.random.default_rng([item.seed, item.job, item.ordinal])
    image = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
    mask = np.zeros((1, side, side), np.uint8)
    top, left = (int(corner) for corner in random.integers(0, side - 1, 2))
    mask[0, top : top + side // 2, left : left + side // 2] = 1
    return image, mask


def submit(client: Client, item: WorkItem, worker: str) -> tuple[int, str]:
    """Makes an item and hands it in; returns the triplet's id and the hash of its pixels."""
    image, mask = make_pixels(item)
    answer = client.submit(
        item,
        image,
        mask,
        [Mask(item.category, 0, "exact")],
        prompt=f"noise for {item.category}, item {item.ordinal} of job {item.job}",
        provenance=Provenance(item.engine, item.seed, worker, time.time_ns() // 1000),
    )
    return answer.triplet, pixel_hash(image, mask)


def pixel_hash(image: Any, masks: Any) -> str:
    """A hash of all pixels of a triplet."""
    digest = hashlib.sha256(np.ascontiguousarray(image).tobytes())
    digest.update(np.ascontiguousarray(masks).tobytes())
    return digest.hexdigest()


def fill(client: Client, targets: dict[str, int], image_size: int) -> None:
    """Brings categories up to their targets with triplets made here."""
    client.backfill(targets, engine=OWN_ENGINE, image_size=image_size, companions=False)
    while items := client.lease("harness", [OWN_ENGINE], 64):
        for item in items:
            submit(client, item, "harness")


def finish(name: str, figures: str, bound: str, passed: bool) -> None:
    """Prints the last line and ends the program."""
    print(f"{name}: {figures} (bound: {bound}) {'OK' if passed else 'FAILED'}", flush=True)
    sys.exit(0 if passed else 1)


def on_signals() -> None:
    """Lets SIGTERM end the program as Ctrl-C does, so that it stops its daemon."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def still_there(processes: set[int], seconds: float) -> list[int]:
    """Those of our generators that have not ended, after waiting a while for them."""
    deadline = time.monotonic() + seconds
    while True:
        left = [process for process in processes if _is_generator(process)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _is_generator(process: int) -> bool:
    try:
        name = Path(f"/proc/{process}/comm").read_text()
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return name.startswith("groundwell-gene") and state != "Z"
