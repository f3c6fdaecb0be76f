"""The training loop: feeds a method its steps, and keeps log, samples, validation and checkpoints."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from rich.console import Console
from torch import Tensor

from ..core.errors import CheckpointError, InpaintkitError, Interrupted
from ..core.interfaces import Batch, Method, Sample
from ..core.plugins import Plugins, installed
from ..data import TrainingBatches, augmenter, fixed_batch, load_images
from ..recipe import Recipe, build_method
from ..runs import ENVIRONMENT, Observers, Run, checkpoint, environment
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

SHEET_IMAGES = 8


def train(recipe: Recipe, run: Run, *, resume: bool = False, show: bool = True, plugins: Plugins | None = None) -> None:
    """Trains the recipe's method into the run's folder, from the start or from its newest checkpoint.

    Raises:
        DataError: pictures are missing or unreadable.
        CheckpointError: nothing to resume from, or it does not fit.
        NonFiniteError: a term became NaN or infinite; the last good checkpoint stays.
        Interrupted: Ctrl-C or SIGTERM; a checkpoint was written.
    """
    device = pick_device(recipe.run.device)
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    plugins = plugins or installed()
    with distributed.process_group(device), stop_signals() as stopped:
        Training.begin(recipe, run, device, plugins, resume, show).loop(stopped)


@attrs.define(eq=False)
class Training:
    """A training under way."""

    recipe: Recipe
    run: Run
    method: Method
    batches: TrainingBatches
    validation: Batch
    plugins: Plugins
    precision: torch.dtype
    images: str  # digest
    show: bool
    step: int = 0
    seconds: float = 0.0  # of training, over all sessions of the run
    guard: FiniteGuard = attrs.Factory(FiniteGuard)
    observers: Observers = attrs.field(init=False)

    @observers.default
    def _observers(self) -> Observers:
        return Observers(self.recipe, self.run.folder, self.warn)

    @classmethod
    def begin(
        cls, recipe: Recipe, run: Run, device: torch.device, plugins: Plugins, resume: bool, show: bool
    ) -> Training:
        """Builds the method, loads the pictures, and takes up a checkpoint where there is one to resume."""
        torch.manual_seed(seed_of(recipe.seed, "init"))
        method = build_method(recipe)
        options = recipe.data
        if options is None or recipe.masks is None:
            raise InpaintkitError("training needs data: and masks: in the recipe")
        with distributed.rank0_first():
            images = load_images(
                options.train, options.prepare, cache=options.cache, strict=options.strict, progress=show
            )
        train_set, validation_set = images.to(device).split(options.validation)
        method.setup()
        if recipe.init_from is not None and not resume:
            fresh = checkpoint.init_method(checkpoint.newest(recipe.init_from), method)
            if fresh and show and not distributed.rank():
                print(f"{recipe.init_from} holds no {', '.join(fresh)}: fresh weights there", file=sys.stderr)
        channels_last = recipe.run.channels_last
        if channels_last is None:
            channels_last = device.type in ("cpu", "cuda")
        method.to(device=device)
        if channels_last:
            method.to(memory_format=torch.channels_last)
        masks = recipe.masks.build()
        batches = TrainingBatches(
            train_set,
            masks,
            augmenter(options.augment, options.size),
            options.batch,
            options.frame,
            recipe.seed,
            device,
        )
        looked_at = validation_set if len(validation_set) else train_set
        count = max(recipe.validate.images, SHEET_IMAGES)
        fixed = fixed_batch(looked_at, masks, count, options.frame, recipe.seed, device)
        training = cls(
            recipe,
            run,
            method,
            batches,
            fixed,
            plugins,
            pick_precision(recipe.run.precision, device),
            images.digest,
            show,
        )
        if resume:
            training.take_up()
        if recipe.run.compile:
            for network in method.networks:
                network.compile()
        return training

    def take_up(self) -> None:
        """Loads the newest whole checkpoint; the log forgets what came after it."""
        path, state, damaged = checkpoint.latest(self.run.checkpoints)
        for complaint in damaged:
            self.warn(f"passed over: {complaint}")
        if state["images"] != self.images:
            raise CheckpointError("these are not the training pictures that the run began with: it would not be exact")
        checkpoint.load_method(path, self.method)
        checkpoint.load_optimizers(path, self.method)
        self.step, self.seconds = state["step"], state["seconds"]
        if distributed.rank() == 0:
            kept = [line for line in self.run.log() if line["step"] <= self.step]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            write_atomically(self.run.log_file, text)

    def loop(self, stopped: Callable[[], int]) -> None:
        """Runs the remaining steps; ``stopped`` tells the number of a signal to stop, or 0."""
        options, steps = self.recipe.run, self.method.steps
        if distributed.rank() == 0:
            for folder in (self.run.folder, self.run.checkpoints, self.run.samples):
                checkpoint.tidy(folder)
            if self.step == 0:  # the log of a run that died before its first checkpoint begins anew
                text = json.dumps(environment(self.plugins), indent=1)
                write_atomically(self.run.folder / ENVIRONMENT, text)
                write_atomically(self.run.log_file, "")
        meter = Meter()
        show = self.show and distributed.rank() == 0
        with self.observers, RunProgress(self.run.folder.name, steps, self.step, show) as progress:
            self.method.train()
            began = time.monotonic() - self.seconds
            while self.step < steps:
                logs = self.training_step()
                self.guard.watch(logs, self.step)
                meter.add(logs)
                self.step += 1
                done = self.step == steps
                stopping = 0
                if distributed.world() == 1 or done or self.step % options.log_every == 0:
                    stopping = distributed.all_reduce_max(stopped(), self.batches.device)
                progress.step(self.step)
                self.seconds = time.monotonic() - began
                if done or stopping or self.step % options.log_every == 0:
                    self.report(meter, progress)
                if done or (self.recipe.validate.every and self.step % self.recipe.validate.every == 0):
                    self.validate(progress)
                if done or self.step % options.sample_every == 0:
                    self.draw_samples()
                if done or stopping or self.step % options.checkpoint_every == 0:
                    self.guard.check()
                    self.guard.check_weights(self.method, self.step)
                    self.save()
                if stopping:
                    text = f"stopped after step {self.step} of {steps}; the checkpoint is written: go on with --resume"
                    raise Interrupted(text, stopping)

    def training_step(self) -> dict[str, Tensor]:
        batch = self.batches(self.step)
        with self.autocast():
            return self.method.training_step(batch, self.step)

    def report(self, meter: Meter, progress: RunProgress) -> None:
        """Checks that all is finite, then writes the means since the last line."""
        self.guard.check()
        values, images_per_second = meter.flush(self.batches.batch)
        described = self.method.describe(self.step - 1)
        line = {
            "seconds": round(self.seconds, 3),
            "images_per_s": round(images_per_second, 1),
            **described,
            **values,
        }
        self.write(line)
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
        """Hole PSNR and L1 on the fixed validation pictures: what choices are made by."""
        metrics = [self.plugins.registry.get("metric", name).load()() for name in ("psnr", "l1")]
        for part in self.validation.chunks(-(-len(self.validation.image) // self.batches.batch)):
            sample = self.preview(part)
            for metric in metrics:
                metric.update(sample)
        values = {f"validation/{metric.label}": float(metric.compute()) for metric in metrics}
        self.write(values)
        progress.say(f"step {self.step}  " + "  ".join(f"{name} {value:.4g}" for name, value in values.items()))

    def draw_samples(self) -> None:
        """A sheet of the fixed pictures."""
        if distributed.rank():
            return
        few = Batch(self.validation.image[:SHEET_IMAGES], self.validation.mask[:SHEET_IMAGES])
        self.run.samples.mkdir(exist_ok=True)
        picture = png(sample_sheet(self.preview(few)))
        write_atomically(self.run.samples / f"step-{self.step:08d}.png", picture)

    def preview(self, batch: Batch) -> Sample:
        with self.autocast():
            return self.method.preview(batch)

    def autocast(self) -> torch.autocast:
        # No cache of cast weights: within one step critics change between their own turn and the generator's.
        low = self.precision == torch.bfloat16
        return torch.autocast(self.batches.device.type, torch.bfloat16, enabled=low, cache_enabled=False)

    def save(self) -> None:
        """A checkpoint, after which this step is the one to resume from."""
        if distributed.rank():
            return
        extra = {"seconds": self.seconds, "seed": self.recipe.seed, "images": self.images}
        checkpoint.save(self.run.checkpoints, self.step, self.method, extra, self.recipe.run.keep)

    def warn(self, text: str) -> None:
        Console(stderr=True, quiet=not self.show).print(f"warning: {text}", markup=False, soft_wrap=True)
