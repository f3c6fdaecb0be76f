"""The ``augment:`` steps of a recipe: reads them, checks them, and runs them on a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from ..core.config.schema import signature_of
from ..core.config.structure import INVALID, Spec, Structurer
from ..core.errors import KeyPath, OptionError
from ..core.interfaces import Augmentation

#: Classes of kornia that are no augmentation of pictures in [0, 1], and why.
REFUSED = {
    "Normalize": "pictures stay in [0, 1] here, and methods are given [-1, 1]",
    "Denormalize": "pictures stay in [0, 1] here, and methods are given [-1, 1]",
    "RandomDissolving": "it downloads a diffusion model",
}


@attrs.frozen
class AugmentationStep:
    """One step: the name of an augmentation, with options as in ``RandomCrop: {size: [160, 160]}``.

    ``{use: RandomCrop, size: [160, 160]}`` is the same.
    """

    spec: Spec[Augmentation] = attrs.field(eq=lambda spec: (spec.name, repr(spec.options)))

    @property
    def name(self) -> str:
        return self.spec.name

    @classmethod
    def __structure__(cls, value: Any, at: KeyPath, structurer: Structurer) -> Any:
        name, options, path = value, {}, at
        if isinstance(value, Mapping) and "use" in value:
            name, options = value["use"], {key: item for key, item in value.items() if key != "use"}
        elif isinstance(value, Mapping) and len(value) == 1:
            [(name, options)] = value.items()
            path = (*at, name)
        if not isinstance(name, str):
            raise OptionError("one augmentation is written as `- RandomHorizontalFlip: {p: 0.5}`")
        if options is not None and not isinstance(options, Mapping):
            return structurer.problem(f"the options of {name} are a mapping, not {options!r}", path)
        if name in REFUSED:
            return structurer.problem(f"{name} cannot be used, because {REFUSED[name]}", path)
        spec = structurer.component("augmentation", name, options or {}, path, path)
        if spec is INVALID:
            return INVALID
        for option in ("p", "p_batch"):
            chance = spec.options.get(option, 0)
            if isinstance(chance, float) and not 0 <= chance <= 1:
                structurer.problem(f"expected a probability from 0 to 1, not {chance:g}", (*path, option))
        spec.attempt(structurer.problems)  # the constructor may refuse more
        return cls(spec)

    def build(self, **instead: object) -> nn.Module:
        """The module, in which some options may be replaced.

        Raises:
            RecipeError: its constructor refuses the options.
        """
        return attrs.evolve(self.spec, options={**self.spec.options, **instead}).build()


def augmenter(steps: Sequence[AugmentationStep], size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """All steps in turn: float (B, 3, h, w) in [0, 1] -> (B, 3, height, width) of ``size``, clamped to [0, 1].

    All random numbers come from torch's global generators. Without steps nothing happens to pictures of that size.

    Raises:
        OptionError: at call time, where the pictures do not end at ``size``.
    """
    modules = [step.build() for step in steps]

    def run(pictures: Tensor) -> Tensor:
        with torch.no_grad():
            result = pictures
            for module in modules:
                result = module(result)
        _require_size(result, size, bool(modules))
        return result.clamp(0, 1) if modules else result

    return run


def check_augment(steps: Sequence[AugmentationStep], input_side: int, size: tuple[int, int]) -> None:
    """Runs the steps on two small pictures on the CPU, as they are and with every probability at 1.

    Raises:
        OptionError: a step fails on what reaches it, its path ``(index, name)``; or they do not end at ``size``.
    """
    for always in (False, True):
        pictures = torch.full((2, 3, input_side, input_side), 0.1)
        pictures[1] = 0.9
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            for at, step in enumerate(steps):
                pictures = _try_step(step, pictures, always, (at, step.name))
        _require_size(pictures, size, bool(steps))


def _try_step(step: AugmentationStep, pictures: Tensor, always: bool, path: KeyPath) -> Tensor:
    takes_p = any(option.name == "p" for option in signature_of(step.spec.factory))
    module = step.build(p=1.0) if always and takes_p and step.spec.options.get("p") != 0 else step.build()
    _require_room(step, pictures, path)
    size = _size_text(pictures)
    try:
        result: Tensor = module(pictures)
    except Exception as error:  # augmentations fail in many ways, among them assertions and KeyError
        text = " ".join(str(error).split()) or type(error).__name__
        raise OptionError(f"{step.name} fails on pictures of {size}: {text}", path) from error
    if result.ndim != 4 or result.shape[:2] != (2, 3) or not result.isfinite().all():
        raise OptionError(f"{step.name} turns pictures of {size} into {tuple(result.shape)} or NaN", path)
    return result


def _size_text(pictures: Tensor) -> str:
    return f"{pictures.shape[-2]}x{pictures.shape[-1]}"


def _require_room(step: AugmentationStep, pictures: Tensor, path: KeyPath) -> None:
    """kornia would enlarge a smaller picture without a warning."""
    options = step.spec.options
    if step.name not in ("RandomCrop", "CenterCrop") or options.get("pad_if_needed") or options.get("padding"):
        return
    size = options["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if height > pictures.shape[-2] or width > pictures.shape[-1]:
        message = f"{step.name} of {height}x{width} does not fit into pictures of {_size_text(pictures)}"
        raise OptionError(message, (*path, "size"))


def _require_size(pictures: Tensor, size: tuple[int, int], augmented: bool) -> None:
    if pictures.shape[-2:] != size:
        end = "the augmentation ends at" if augmented else "without augmentation the pictures are"
        fix = f"end it with `- Resize: {{size: [{size[0]}, {size[1]}]}}`"
        raise OptionError(f"{end} {_size_text(pictures)}, but `size` is {size[0]}x{size[1]}: {fix}")
