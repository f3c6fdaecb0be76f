"""Writes the weights of a trained run in half precision: ``python -m inpaintkit_photo.publish RUN FILE [BASE SHARE]``.

The file holds what fills holes, the average of the generator where the run kept one, under the keys ``generator.*`` of
a checkpoint. A recipe names it in ``weights:``. With BASE, a run or a recipe with weights, each number lies between
that of BASE and that of RUN: SHARE is 0 for BASE and 1 for RUN. Of a run that started from BASE this weighs texture
against fidelity (Wang et al., "ESRGAN", 2018, section 3.4).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from inpaintkit import Adversarial, InpaintkitError, load


def publish(run: Path | str, file: Path | str, base: Path | str | None = None, share: float = 1.0) -> int:
    """Writes ``file`` and returns its size in bytes.

    Args:
        base: mixes in its weights.
        share: of the weights of ``run``, from 0 to 1.

    Raises:
        InpaintkitError: one of the two cannot be loaded, its method is not ``adversarial``, or the generators differ.
    """
    state = generator_state(run)
    if base is not None:
        other = generator_state(base)
        if {key: value.shape for key, value in state.items()} != {key: value.shape for key, value in other.items()}:
            raise InpaintkitError(f"{run} and {base} have different generators: their weights cannot be mixed")
        state = {key: torch.lerp(other[key].float(), value.float(), share) for key, value in state.items()}
    save_file({f"generator.{key}": value.half().contiguous() for key, value in state.items()}, file)
    return Path(file).stat().st_size


def generator_state(run: Path | str) -> dict[str, Tensor]:
    """The weights of what fills holes.

    Raises:
        InpaintkitError: the run cannot be loaded, or its method is not ``adversarial``.
    """
    method = load(run)
    if not isinstance(method, Adversarial):
        raise InpaintkitError(
            f"{run}: only the weights of the method adversarial are published, not {type(method).__name__}"
        )
    return (method.averaged or method.generator).state_dict()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    mixed = (sys.argv[3], float(sys.argv[4])) if len(sys.argv) == 5 else (None, 1.0)
    print(f"{sys.argv[2]}: {publish(sys.argv[1], sys.argv[2], *mixed):,} bytes")
