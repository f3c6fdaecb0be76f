"""All the hooks: the contract with plugins.

A plugin is a module (or object) named by an entry point of the group ``inpaintkit``; it sets ``inpaintkit_api = 1`` and
implements any of these. Every hook is called once, when plugins are first needed, and is given a function ``register``.

All are decorated with ``@hookimpl``. Those for components are given ``register(name, factory)``: ``name`` in
lower-case-with-dashes (augmentations may also be in CamelCase, such as ``RandomCrop``), ``factory`` a class or
``"package.module:Class"``. The string is imported when the component is used, so that listing imports no torch. The
constructor's annotated signature is the schema of the component's options in a recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy

API_VERSION = 1

hookspec = pluggy.HookspecMarker("inpaintkit")
hookimpl = pluggy.HookimplMarker("inpaintkit")

Register = Callable[[str, str | Callable[..., Any]], None]  # register(name, factory)
RegisterRecipes = Callable[[Path], None]  # register(folder)
RegisterCommands = Callable[..., None]  # register(name, command, help="")


@hookspec
def register_generators(register: Register) -> None:
    """Networks that generate a picture: ``forward(masked, mask) -> output`` or a mapping of named views.

    See :class:`inpaintkit.Generator`. Example: ``register("small-fcn", "my_plugin.generator:SmallFCN")``.
    """


@hookspec
def register_discriminators(register: Register) -> None:
    """Networks that score a picture: ``forward(image, mask) -> logits``, higher for real.

    See :class:`inpaintkit.Discriminator`. Example: ``register("patches", "my_plugin.discriminator:Patches")``.
    """


@hookspec
def register_losses(register: Register) -> None:
    """Terms of a generator's loss: ``forward(sample) -> scalar``.

    See :class:`inpaintkit.Loss`. Example: ``register("smooth-l1", "inpaintkit.components.losses:SmoothL1")``.
    """


@hookspec
def register_objectives(register: Register) -> None:
    """Adversarial objectives: ``generator(inputs) -> scalar`` and ``critic(inputs) -> {"loss": scalar, ...}``.

    See :class:`inpaintkit.Objective`. Example: ``register("hinge", "inpaintkit.components.objectives:Hinge")``.
    """


@hookspec
def register_mask_samplers(register: Register) -> None:
    """Sources of holes: ``sampler(count, (height, width), rng) -> masks``.

    See :class:`inpaintkit.MaskSampler`. Example: ``register("half", "inpaintkit.components.masks:Half")``.
    """


@hookspec
def register_metrics(register: Register) -> None:
    """Measures of a completed picture: ``update(sample)`` over batches, then ``compute()``.

    Any ``torchmetrics.Metric`` that compares two pictures in [0, 1] serves too. See :class:`inpaintkit.Metric`.
    Example: ``register("psnr", "inpaintkit.components.metrics:PSNR")``.
    """


@hookspec
def register_methods(register: Register) -> None:
    """Whole methods: ``training_step(batch, step) -> logs`` and ``inpaint(masked, mask) -> image``.

    See :class:`inpaintkit.Method`. Example: ``register("adversarial", "inpaintkit.training.adversarial:Adversarial")``.
    """


@hookspec
def register_augmentations(register: Register) -> None:
    """Random changes of training pictures: ``forward(pictures) -> pictures``, in [0, 1].

    The classes of ``kornia.augmentation`` are registered by their own names. See :class:`inpaintkit.Augmentation`.
    Example: ``register("RandomFog", "my_plugin.fog:RandomFog")``.
    """


@hookspec
def register_observers(register: Register) -> None:
    """Listeners to a run, such as experiment trackers. A recipe names them in ``run: {observers: [...]}``.

    See :class:`inpaintkit.Observer`. Example: ``register("csv", "inpaintkit.components.observers:CSV")``.
    """


@hookspec
def register_recipes(register: RegisterRecipes) -> None:
    """A folder of recipes inside the plugin's package, with protocols in its subfolder ``protocols``.

    ``register(folder)`` takes the absolute path of the folder. Its file ``small.yaml`` becomes the recipe
    ``my-plugin/small``, after the plugin's entry point, and is listed, run and extended by this name; likewise the
    protocols. Example: ``register(Path(__file__).with_name("recipes"))``.
    """


@hookspec
def register_commands(register: RegisterCommands) -> None:
    """Commands of the program ``inpaintkit``, beside ``run`` and ``fill``.

    ``register(name, command, help="")`` takes a ``click.Command`` or ``"package.module:command"``, which is imported
    when the command is called or its own ``--help`` is asked for, and one line of help for the list of commands. A
    command cannot replace one that comes with inpaintkit.
    Example: ``register("outline", "my_plugin.command:outline", "Draws the outline of a mask.")``.
    """


#: The hooks for components, by the kind that each registers.
KINDS: dict[str, str] = {
    "generator": "register_generators",
    "discriminator": "register_discriminators",
    "loss": "register_losses",
    "objective": "register_objectives",
    "mask sampler": "register_mask_samplers",
    "metric": "register_metrics",
    "method": "register_methods",
    "augmentation": "register_augmentations",
    "observer": "register_observers",
}
#: All the hooks.
HOOKS = (*KINDS.values(), "register_recipes", "register_commands")
