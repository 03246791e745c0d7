"""Image codecs on photographs and on rendered scenes: sizes and speeds of one core.

    python Benchmarks/show_codec.py --bin FOLDER [--rounds 15] [--compiler clang]

Cuts the pictures, draws scenes with groundwell-generator, compiles Benchmarks/codec with the codec's own C sources
and runs it; its last line has the figures and their bounds, and its exit status is ours.
"""

import argparse
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

import photographs as source

ROOT = pathlib.Path(__file__).resolve().parents[1]


def scenes(binaries, folder, count, side):
    program = [binaries + "/groundwell-generator", "scenes", "--count", str(count), "--size", str(side)]
    subprocess.run([*program, "--output", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("[0-9][0-9][0-9][0-9].png"))]


def write(path, pictures):
    with path.open("wb") as file:
        for picture in pictures:
            file.write(struct.pack("<II", picture.shape[1], picture.shape[0]))
            file.write(np.ascontiguousarray(picture).tobytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compiler", default="clang")
    arguments = parser.parse_args()
    random = np.random.default_rng(5)
    photos = list(source.photographs().values())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        large = [source.crop(photo, 512, 512, random) for photo in photos for _ in range(2)]
        small = [source.crop(photos[i % len(photos)], 64, 64, random) for i in range(150)]
        small += [source.resized_crop(photos[i % len(photos)], 64, random) for i in range(150)]
        sets = {"photographs up to 512x512": large, "photographs 64x64": small,
                "scenes 512x512": scenes(arguments.bin, folder / "large", 24, 512),
                "scenes 64x64": scenes(arguments.bin, folder / "small", 300, 64)}
        files = []
        for number, (title, pictures) in enumerate(sets.items()):
            write(folder / f"{number}.rgb", pictures)
            files.append(f"{title}={folder / f'{number}.rgb'}")
        program = folder / "bench"
        # -O2 as SwiftPM compiles the same sources.
        units = [ROOT / "Benchmarks/codec/bench.c", ROOT / "Benchmarks/codec/candidates.c", *sorted((ROOT / "Sources/CCodec").glob("*.c"))]
        subprocess.run([arguments.compiler, "-O2", "-I", ROOT / "Sources/CCodec/include", *units, "-o", program,
                        "-llz4", "-lzstd", "-lpng"], check=True)
        sys.exit(subprocess.run([program, str(arguments.rounds), *files], check=False).returncode)


if __name__ == "__main__":
    main()
