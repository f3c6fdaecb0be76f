"""Writes the weights of a trained run in half precision: ``python -m inpaintkit_photo.publish RUN FILE``.

The file holds what fills holes, the average of the generator where the run kept one, under the keys ``generator.*`` of
a checkpoint. A recipe names it in ``weights:``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.torch import save_file

from inpaintkit import Adversarial, InpaintkitError, load


def publish(run: Path | str, file: Path | str) -> int:
    """Writes ``file`` and returns its size in bytes.

    Raises:
        InpaintkitError: the run cannot be loaded, or its method is not ``adversarial``.
    """
    method = load(run)
    if not isinstance(method, Adversarial):
        raise InpaintkitError(
            f"{run}: only the weights of the method adversarial are published, not {type(method).__name__}"
        )
    state = (method.averaged or method.generator).state_dict()
    save_file({f"generator.{key}": value.half().contiguous() for key, value in state.items()}, file)
    return Path(file).stat().st_size


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(f"{sys.argv[2]}: {publish(sys.argv[1], sys.argv[2]):,} bytes")
