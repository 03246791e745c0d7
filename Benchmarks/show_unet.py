"""Seconds of a Stable Diffusion 1.5 U-Net evaluation, VAE decoding and text encoding, against PyTorch.

    python Benchmarks/show_unet.py --bin FOLDER [--models FOLDER] [--rounds 3] [--threads 2]

Needs the environment of python/fixtures/requirements.txt. Both sides run the same random model of the
full published size (made on first use, about 4.3 GB) in processes that stay loaded, and take turns, so that
a busy machine slows both. The best of the rounds counts. Memory is the peak resident size of a process of
its own that loads the model, encodes text, evaluates the U-Net at batch 2 and decodes one picture.

The last line has the figures and their bounds; exits with 1 when the U-Net is not below 0.85 of PyTorch's
float32 time at either batch, or memory is above 0.8 of PyTorch's.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MAXIMUM_TIME_RATIO = 0.85
MAXIMUM_MEMORY_RATIO = 0.8
ORDERS = ["text 2", "unet 1 64", "unet 2 64", "vae 64"]
# Multiplications and additions of one evaluation by the textbook definitions, counted with
# torch.utils.flop_counter.FlopCounterMode on the same networks.
FLOPS = {"unet 1 64": 0.804e12, "unet 2 64": 1.607e12, "vae 64": 2.51e12, "text 2": 0.0268e12}


class Worker:
    def __init__(self, command, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a worker ended: {self.process.args}")
        return json.loads(line)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--models", default=str(HERE / ".models"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    subprocess.run([sys.executable, HERE / "diffusion" / "full_models.py", arguments.models, "sd15"], check=True)
    model = arguments.models + "/sd15"
    ours = [arguments.bin + "/groundwell-generator", "bench", "diffusion", "--model", model, "--threads",
            str(arguments.threads)]
    torch = [sys.executable, str(HERE / "diffusion" / "torch_worker.py"), model]
    commands = {"groundwell": ours, "torch float32": [*torch, "float32", str(arguments.threads)],
                "torch bfloat16": [*torch, "bfloat16", str(arguments.threads)]}

    memory = {}
    for name, command in commands.items():
        worker = Worker(command, arguments.threads)
        for order in ("text 2", "unet 2 64", "vae 64"):
            worker.ask(order)
        memory[name] = worker.ask("memory")["peak_bytes"]
        worker.close()
        print(f"{name:15} peak {memory[name] / 1e9:.2f} GB", flush=True)

    workers = {name: Worker(command, arguments.threads) for name, command in commands.items()}
    best, processor = {}, {}
    peak = 0.0
    for _ in range(arguments.rounds + 1):  # the first round warms up and does not count less: best of all
        for _ in range(5):
            peak = max(peak, 2 * 2048**3 / workers["torch float32"].ask("gemm")["seconds"])
        for order in ORDERS:
            for name, worker in workers.items():
                reply = worker.ask(order)
                best[name, order] = min(best.get((name, order), float("inf")), reply["seconds"])
                processor[name, order] = min(processor.get((name, order), float("inf")), reply["cpu_seconds"])
    for worker in workers.values():
        worker.close()
    print(f"sgemm peak {peak * 1e-9:.0f} GFLOP/s")
    for order in ORDERS:
        for name in commands:
            seconds = best[name, order]
            rate = FLOPS[order] / seconds
            print(f"{order:10} {name:15} {seconds:8.3f} s {processor[name, order]:8.3f} s of processors {rate * 1e-9:7.0f} GFLOP/s {rate / peak:6.2f} of sgemm")

    ratios = [best["groundwell", o] / best["torch float32", o] for o in ("unet 1 64", "unet 2 64")]
    half = [best["groundwell", o] / best["torch bfloat16", o] for o in ("unet 1 64", "unet 2 64")]
    share = memory["groundwell"] / memory["torch float32"]
    passed = max(ratios) < MAXIMUM_TIME_RATIO and share <= MAXIMUM_MEMORY_RATIO
    print(f"show-unet: {'ok' if passed else 'SHORT'}: time over float32 {ratios[0]:.3f} and {ratios[1]:.3f} "
          f"(bound {MAXIMUM_TIME_RATIO}), over bfloat16 {half[0]:.3f} and {half[1]:.3f} (goal 1), memory {share:.3f} "
          f"(bound {MAXIMUM_MEMORY_RATIO})")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
