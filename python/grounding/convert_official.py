"""Turns the published checkpoint (.pth, pickled) of Lipurple/Grounded-Diffusion into safetensors.

    python -m grounding.convert_official grounding_module.pth grounding.safetensors

Only tensors are read from the pickle. Names stay as they are; what is missing, unknown or of another shape is
listed, and nothing is written then.
"""

import argparse
import pickle
import sys

import torch
from safetensors.torch import save_file

from grounding.reference import GroundingModule


def converted(state):
    """The tensors of a checkpoint by their names, without wrappers and prefixes of training."""
    for key in ("state_dict", "model", "module"):
        if key in state and isinstance(state[key], dict):
            state = state[key]
    tensors = {}
    for name, value in state.items():
        if torch.is_tensor(value):
            tensors[name.removeprefix("module.")] = value.detach().float().contiguous()
    with torch.device("meta"):
        expected = {k: tuple(v.shape) for k, v in GroundingModule().state_dict().items()}
    problems = [f"no tensor '{k}'" for k in expected if k not in tensors]
    problems += [f"'{k}' has no place in the module" for k in tensors if k not in expected]
    problems += [f"'{k}' is {tuple(tensors[k].shape)}, the module needs {expected[k]}" for k in expected
                 if k in tensors and tuple(tensors[k].shape) != expected[k]]
    if problems:
        raise ValueError("; ".join(problems[:20]))
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    arguments = parser.parse_args()
    try:
        state = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
        tensors = converted(state)
    except pickle.UnpicklingError:
        sys.exit(f"{arguments.checkpoint}: no checkpoint of PyTorch, or one that holds more than tensors")
    except (OSError, EOFError, ValueError, RuntimeError) as error:
        sys.exit(f"{arguments.checkpoint}: {error}")
    save_file(tensors, arguments.output)
    print(f"{len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} values in {arguments.output}")


if __name__ == "__main__":
    main()
