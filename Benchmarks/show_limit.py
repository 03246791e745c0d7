"""Bytes delivered per second against what the machine could do at best.

    python Benchmarks/show_limit.py --bin FOLDER [--rounds 5] [--compiler clang]

Interleaves, on the same cores: batches of images through shared memory; decoding the same blobs, read from the store's
packs beforehand, by the same C code on as many threads as there are cores; copying one batch in memory. The last
line has the medians and the bound: at least 0.7 of the smaller of the last two.
"""

import argparse
import ctypes
import os
import pathlib
import statistics
import struct
import subprocess
import threading
import time

import numpy as np

import harness
import stream_runs

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 1.5
#: side: (triplets of each category, batch size)
SETS = {512: (40, 32), 64: (1000, 256)}


def decoder(folder, compiler):
    library = folder / "libdecode.so"
    units = [ROOT / "Benchmarks/limit/decode.c", *sorted((ROOT / "Sources/CCodec").glob("*.c"))]
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-I", ROOT / "Sources/CCodec/include", *units, "-o", library,
                    "-llz4"], check=True)
    function = ctypes.CDLL(str(library)).decode_batch
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_long] * 4, ctypes.c_void_p]
    return function


def blobs(store, side):
    """The payloads of the images of that size, from the packs; the layout is in schema/pack/README.md."""
    found = []
    for path in sorted((store / "packs").glob("*.pack")):
        data, place = path.read_bytes(), 64
        while place + 32 <= len(data):
            magic, kind, codec, _, stored, decoded = struct.unpack_from("<IBBHII", data, place + 8)
            if magic != 0x31525747:
                break
            if kind == 1 and codec == 2 and decoded == 3 * side * side:
                found.append(data[place + 32:place + 32 + stored])
            place += (32 + stored + 7) // 8 * 8
    return found


def decode_rate(decode, payloads, side, batch_size, seconds):
    """Bytes of pixels per second over all cores."""
    done, end = [0] * os.cpu_count(), time.perf_counter() + seconds
    pointers = (ctypes.c_char_p * len(payloads))(*payloads)
    lengths = (ctypes.c_long * len(payloads))(*map(len, payloads))

    def work(number):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)  # As the daemon's threads.
        batch = np.empty((batch_size, side, side, 3), np.uint8)
        first = number * 37
        while time.perf_counter() < end:
            # The interpreter's lock is free meanwhile.
            assert decode(pointers, lengths, len(payloads), first, batch_size, side, batch.ctypes.data) == 0
            first += batch_size
            done[number] += batch.nbytes

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(done))]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - start)


def copy_rate(size, seconds):
    """Bytes per second of copying a batch to memory that is there already."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    np.copyto(target, source)
    copies, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        np.copyto(target, source)
        copies += 1
    return copies * size / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiler", default="clang")
    arguments = parser.parse_args()
    harness.on_signals()
    ratios, words = [], []
    for side, (count, batch_size) in SETS.items():
        with harness.Daemon(harness.binary_folder(arguments.bin), 0) as daemon:
            client = daemon.start()
            stream_runs.fill(client, side, count)
            payloads = blobs(daemon.folder / "store", side)
            decode = decoder(daemon.folder, arguments.compiler)
            rounds = []
            with client.stream(list(stream_runs.CATEGORIES), batch_size=batch_size, image_size=side,
                               tensors=["image"], prompts=False, slots=4) as stream:
                stream_runs.read(stream, 0.5, ["image"])
                for _ in range(arguments.rounds):
                    delivered, batches = stream_runs.read(stream, SECONDS, ["image"])
                    decoded = decode_rate(decode, payloads, side, batch_size, SECONDS)
                    copied = copy_rate(batch_size * side * side * 3, SECONDS / 2)
                    rounds.append((delivered, decoded, copied, batches * batch_size,
                                   delivered / min(decoded, copied)))
            medians = [statistics.median(column) for column in zip(*rounds)]
            print(f"{side}x{side}: delivered {medians[0] / 1e9:.2f} GB/s ({medians[3]:.0f} samples/s), decoding alone "
                  f"{medians[1] / 1e9:.2f}, memcpy {medians[2] / 1e9:.2f}; ratio {medians[4]:.2f}", flush=True)
            ratios.append(medians[4])
            words.append(f"{medians[4]:.2f} at {side}")
    harness.finish("show-limit", ", ".join(words) + " of the smaller of decoding and memcpy", "at least 0.70",
                   min(ratios) >= 0.7)


if __name__ == "__main__":
    main()
