"""The training loop: takes steps and decides when to log, validate, draw sample sheets and write checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import chain
from typing import Any

import torch
from rich.console import Console

from ..core.errors import CheckpointError, InpaintkitError, Interrupted
from ..core.interfaces import Batch, Method, Sample
from ..core.plugins import Plugins, installed
from ..data import TrainingBatches, augmenter, fixed_batch, load_images
from ..recipe import Recipe, build_method
from ..runs import ENVIRONMENT, Observers, Run, checkpoint, environment, initial_weights, ready
from ..runtime import (
    RunProgress,
    distributed,
    pick_device,
    pick_precision,
    png,
    sample_sheet,
    seed_of,
    stop_signals,
    write_atomically,
)
from .monitor import FiniteGuard, Meter
from .validation import validation_metrics

SHEET_IMAGES = 8


def train(
    recipe: Recipe, run: Run, *, resume: bool = False, show: bool = True, plugins: Plugins | None = None
) -> Method:
    """Trains the recipe's method in the run's folder, from the start or from its newest checkpoint.

    Returns:
        The trained method, as :func:`inpaintkit.load` gives it: in eval mode, without gradients, on its device. With
        ``run: {compile: true}`` its networks stay compiled.

    Raises:
        DataError: pictures are missing or unreadable.
        CheckpointError: nothing to resume from, or it does not fit.
        NonFiniteError: a term became NaN or infinite; the last good checkpoint stays.
        Interrupted: Ctrl-C or SIGTERM; a checkpoint was written.
        InpaintkitError: another process uses the folder.
    """
    device = pick_device(recipe.run.device)
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    with distributed.process_group(device), stop_signals() as signal_received, ExitStack() as held:
        if distributed.rank() == 0:
            held.enter_context(run.locked())
        training = Training(recipe, run, device, plugins or installed(), show)
        if resume:
            training.restore()
        elif recipe.init_from is not None:
            training.initialize()
        if recipe.run.compile:
            for network in training.method.networks:
                network.compile()
        training.loop(signal_received)
    return as_loaded(training.method, device)


class Training:
    """A training in progress: the method with its initial weights and the data, on the device."""

    def __init__(self, recipe: Recipe, run: Run, device: torch.device, plugins: Plugins, show: bool) -> None:
        data = recipe.data
        if data is None or recipe.masks is None:
            raise InpaintkitError("training needs data: and masks: in the recipe")
        self.recipe, self.run, self.device, self.plugins, self.show = recipe, run, device, plugins, show
        self.precision = pick_precision(recipe.run.precision, device)
        self.method = initial_method(recipe, device)
        with distributed.rank0_first():
            images = load_images(data.train, data.prepare, cache=data.cache, strict=data.strict, progress=show)
        self.digest = images.digest
        train_set, validation_set = images.to(device).split(data.validation)
        masks, augment = recipe.masks.build(), augmenter(data.augment, data.frame)
        self.batches = TrainingBatches(train_set, masks, augment, data.batch, data.frame, recipe.seed, device)
        count = max(recipe.validate.images, SHEET_IMAGES)
        self.validation = fixed_batch(validation_set or train_set, masks, count, data.frame, recipe.seed, device)
        validation_metrics(recipe.validate, plugins, len(self.validation.image))  # errors now, not after the training
        self.step = 0
        self.seconds = 0.0  # of training, over all sessions of the run
        self.guard = FiniteGuard()
        self.observers = Observers(recipe, run.folder, self.warn)

    def initialize(self) -> None:
        """Starts from the weights that ``init_from`` names."""
        assert self.recipe.init_from is not None
        fresh = checkpoint.init_method(initial_weights(self.recipe.init_from, self.plugins), self.method)
        if fresh and not distributed.rank():
            self.warn(f"{self.recipe.init_from} holds no {', '.join(fresh)}: fresh weights there")

    def restore(self) -> None:
        """Restores the newest undamaged checkpoint, and removes later lines from the log."""
        path, state, damaged = checkpoint.latest(self.run.checkpoints)
        for message in damaged:
            self.warn(f"skipped: {message}")
        if state.get("images") != self.digest:
            raise CheckpointError("these are not the training pictures that the run began with: it would not be exact")
        checkpoint.load_method(path, self.method)
        checkpoint.load_optimizers(path, self.method)
        self.step, self.seconds = state["step"], state.get("seconds", 0.0)
        if distributed.rank() == 0:
            kept = [line for line in self.run.log() if line["step"] <= self.step]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            write_atomically(self.run.log_file, text)

    def loop(self, signal_received: Callable[[], int]) -> None:
        """Takes the remaining steps; ``signal_received`` returns the number of a signal to stop, or 0."""
        options, steps = self.recipe.run, self.method.steps

        def due(every: int) -> bool:
            return self.step % every == 0 or self.step == steps

        self.prepare_folder()
        meter = Meter()
        show = self.show and distributed.rank() == 0
        with self.observers, RunProgress(self.run.folder.name, steps, self.step, show) as progress:
            self.method.train()
            began = time.monotonic() - self.seconds
            while self.step < steps:
                batch = self.batches(self.step)
                with self.autocast():
                    logs = self.method.training_step(batch, self.step)
                self.guard.watch(logs, self.step)
                meter.add(logs)
                self.step += 1
                stopping = 0
                if distributed.world() == 1 or due(options.log_every):
                    stopping = distributed.all_reduce_max(signal_received(), self.device)
                progress.step(self.step)
                self.seconds = time.monotonic() - began
                if stopping or due(options.log_every):
                    self.report(meter, progress)
                if due(self.recipe.validate.every or steps):
                    self.validate(progress)
                if due(options.sample_every):
                    self.draw_samples()
                if stopping or due(options.checkpoint_every):
                    self.save()
                if stopping:
                    text = (
                        f"stopped after step {self.step} of {steps}; the checkpoint is written: continue with --resume"
                    )
                    raise Interrupted(text, stopping)

    def prepare_folder(self) -> None:
        """Removes what a killed process left unfinished; at the start of a run, begins its log."""
        if distributed.rank():
            return
        for folder in (self.run.folder, self.run.checkpoints, self.run.samples):
            checkpoint.remove_unfinished(folder)
        if self.step == 0:  # also after a run that was killed before its first checkpoint
            write_atomically(self.run.folder / ENVIRONMENT, json.dumps(environment(self.plugins), indent=1))
            write_atomically(self.run.log_file, "")

    def report(self, meter: Meter, progress: RunProgress) -> None:
        """Checks that all terms are finite, then logs their means since the last line."""
        self.guard.check()
        values, images_per_second = meter.flush(self.batches.batch)
        described = self.method.describe(self.step - 1)
        speed = {"seconds": round(self.seconds, 3), "images_per_s": round(images_per_second, 1)}
        self.write({**speed, **described, **values})
        progress.terms(self.step, str(described.get("stage", "")), values, images_per_second)

    def write(self, logs: Mapping[str, Any]) -> None:
        """Writes a line of the log and calls the observers."""
        if distributed.rank():
            return
        with open(self.run.log_file, "a") as file:
            file.write(json.dumps({"step": self.step, **logs}) + "\n")
        words = {name: value for name, value in logs.items() if isinstance(value, str)}
        values = {name: value for name, value in logs.items() if name not in words}
        self.observers.call("logged", self.step, values, words)

    def validate(self, progress: RunProgress) -> None:
        """Measures the fixed validation pictures, by whose numbers settings are chosen."""
        pictures = self.validation
        metrics = validation_metrics(self.recipe.validate, self.plugins, len(pictures.image))
        for metric in metrics.values():
            metric.setup(self.device)
        for part in pictures.chunks(-(-len(pictures.image) // self.batches.batch)):
            sample = self.preview(part)
            for metric in metrics.values():
                metric.update(sample)
        values = {f"validation/{label}": float(metric.compute()) for label, metric in metrics.items()}
        self.write(values)
        progress.say(f"step {self.step}  " + "  ".join(f"{name} {value:.4g}" for name, value in values.items()))

    def draw_samples(self) -> None:
        """Writes a sheet of the first validation pictures."""
        if distributed.rank():
            return
        shown = Batch(self.validation.image[:SHEET_IMAGES], self.validation.mask[:SHEET_IMAGES])
        self.run.samples.mkdir(exist_ok=True)
        picture = png(sample_sheet(self.preview(shown)))
        write_atomically(self.run.samples / f"step-{self.step:08d}.png", picture)

    def preview(self, batch: Batch) -> Sample:
        with self.autocast():
            return self.method.preview(batch)

    def autocast(self) -> torch.autocast:
        # No cache of cast weights: within one step critics change before the generator is updated.
        enabled = self.precision == torch.bfloat16
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)

    def save(self) -> None:
        """Writes a checkpoint, unless a term or a weight is not finite."""
        self.guard.check()
        self.guard.check_weights(self.method, self.step)
        if distributed.rank():
            return
        extra = {"seconds": self.seconds, "seed": self.recipe.seed, "images": self.digest}
        checkpoint.save(self.run.checkpoints, self.step, self.method, extra, self.recipe.run.keep)

    def warn(self, text: str) -> None:
        Console(stderr=True, quiet=not self.show).print(f"warning: {text}", markup=False, soft_wrap=True)


def initial_method(recipe: Recipe, device: torch.device) -> Method:
    """The method with the initial weights of the recipe's seed, on the device, in the memory format that is fast."""
    torch.manual_seed(seed_of(recipe.seed, "init"))
    method = build_method(recipe)
    method.setup()
    method.to(device)
    channels_last = recipe.run.channels_last
    if channels_last or (channels_last is None and device.type in ("cpu", "cuda")):
        method.to(memory_format=torch.channels_last)
    return method


def as_loaded(method: Method, device: torch.device) -> Method:
    """The trained method as if loaded from its checkpoint; gradients and optimizer states are freed."""
    for optimizer in method.optimizers.values():
        optimizer.state.clear()
        optimizer.zero_grad(set_to_none=True)
    for tensor in chain(method.parameters(), method.buffers()):
        # The strides of a loaded method: `to(memory_format=...)` leaves those of a 1x1 kernel, and convolutions choose
        # their algorithm, and so their rounding, by them.
        tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)
    return ready(method, device)
