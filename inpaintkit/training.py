"""The training loop: feeds a method its steps, and keeps log, samples, validation and checkpoints."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import torch
from rich.console import Console
from torch import Tensor

from . import checkpoint, distributed
from .builtin.augment import augmenter
from .data import load_images
from .errors import CheckpointError, InpaintkitError, NonFiniteError
from .feed import Feed, fixed_batch
from .plugins import Plugins, installed
from .progress import RunProgress
from .recipe import Recipe, build_method
from .rng import seed_of
from .runs import ENVIRONMENT, Run, environment
from .samples import png, sample_sheet
from .types import Batch, Method, Sample

SHEET_IMAGES = 8
NEVER = 2**62  # later than any step


class Interrupted(InpaintkitError):
    """Ctrl-C or SIGTERM: the run stopped after a step, with a checkpoint."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number  # as shells tell which signal it was


def train(
    recipe: Recipe, run: Run, *, resume: bool = False, show: bool = True, plugins: Plugins | None = None
) -> None:
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
    feed: Feed
    validation: Batch
    plugins: Plugins
    precision: torch.dtype
    images: str  # digest
    show: bool
    step: int = 0
    seconds: float = 0.0  # of training, over all sessions of the run
    guard: FiniteGuard = attrs.field(factory=lambda: FiniteGuard())
    complained: set[str] = attrs.field(factory=set)

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
        with distributed.first_goes_first():
            images = load_images(
                options.train, options.prepare, cache=options.cache, strict=options.strict, progress=show
            )
        train_set, validation_set = images.to(device).split(options.validation)
        method.setup()
        if recipe.init_from is not None and not resume:
            fresh = checkpoint.init_method(newest(recipe.init_from), method)
            if fresh and show and not distributed.rank():
                print(f"{recipe.init_from} holds no {', '.join(fresh)}: fresh weights there", file=sys.stderr)
        channels_last = recipe.run.channels_last
        if channels_last is None:
            channels_last = device.type in ("cpu", "cuda")
        method.to(device=device)
        if channels_last:
            method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        masks = recipe.masks.build()
        feed = Feed(
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
            recipe, run, method, feed, fixed, plugins, pick_precision(recipe.run.precision, device), images.digest, show
        )
        if resume:
            training.take_up()
        if recipe.run.compile:
            for network in getattr(method, "networks", []):
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
            checkpoint.write_atomically(self.run.log_file, text)

    def loop(self, stopped: Callable[[], int]) -> None:
        """Runs the remaining steps; ``stopped`` tells the number of a signal to stop, or 0."""
        options, steps = self.recipe.run, self.method.steps
        if distributed.rank() == 0:
            for folder in (self.run.folder, self.run.checkpoints, self.run.samples):
                checkpoint.tidy(folder)
            if self.step == 0:  # the log of a run that died before its first checkpoint begins anew
                text = json.dumps(environment(self.plugins), indent=1)
                checkpoint.write_atomically(self.run.folder / ENVIRONMENT, text)
                checkpoint.write_atomically(self.run.log_file, "")
        meter = Meter()
        show = self.show and distributed.rank() == 0
        with RunProgress(self.run.folder.name, steps, self.step, show) as progress:
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
                    stopping = anywhere(stopped(), self.feed.device)
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
        batch = self.feed(self.step)
        with self.autocast():
            return self.method.training_step(batch, self.step)

    def report(self, meter: Meter, progress: RunProgress) -> None:
        """Checks that all is finite, then writes the means since the last line."""
        self.guard.check()
        values, images_per_second = meter.flush(self.feed.batch)
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
        """A line of the log, and the observers' turn."""
        if distributed.rank():
            return
        with open(self.run.log_file, "a") as file:
            file.write(json.dumps({"step": self.step, **logs}) + "\n")
        for plugin, error in self.plugins.tell(self.run.folder, self.step, logs).items():
            if plugin not in self.complained:  # an observer's failure must not cost a run
                self.warn(f"run_reported of plugin {plugin!r} failed: {type(error).__name__}: {error} (told once)")
            self.complained.add(plugin)

    def validate(self, progress: RunProgress) -> None:
        """Hole PSNR and L1 on the fixed validation pictures: what choices are made by."""
        metrics = [self.plugins.registry.get("metric", name).load()() for name in ("psnr", "l1")]
        for part in self.validation.chunks(-(-len(self.validation.image) // self.feed.batch)):
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
        checkpoint.write_atomically(self.run.samples / f"step-{self.step:08d}.png", picture)

    def preview(self, batch: Batch) -> Sample:
        with self.autocast():
            return self.method.preview(batch)

    def autocast(self) -> torch.autocast:
        # No cache of cast weights: within one step critics change between their own turn and the generator's.
        low = self.precision == torch.bfloat16
        return torch.autocast(self.feed.device.type, torch.bfloat16, enabled=low, cache_enabled=False)

    def save(self) -> None:
        """A checkpoint, after which this step is the one to resume from."""
        if distributed.rank():
            return
        extra = {"seconds": self.seconds, "seed": self.recipe.seed, "images": self.images}
        checkpoint.save(self.run.checkpoints, self.step, self.method, extra, self.recipe.run.keep)

    def warn(self, text: str) -> None:
        Console(stderr=True, quiet=not self.show).print(f"warning: {text}", markup=False, soft_wrap=True)


class FiniteGuard:
    """Notes on the device at which step each logged term first was NaN or infinite: no step waits for the device."""

    ADVICE = (
        "the last good checkpoint is kept. Lower learning rates or weights, set method.clip, or train in float32"
    )

    def __init__(self) -> None:
        self._first: dict[str, Tensor] = {}

    def watch(self, logs: Mapping[str, Tensor], step: int) -> None:
        for name, value in logs.items():
            now = torch.where(torch.isfinite(value), NEVER, step)
            self._first[name] = torch.minimum(self._first[name], now) if name in self._first else now

    def check(self) -> None:
        """Raises NonFiniteError naming the first term and step; asked before anything is kept."""
        if not self._first:
            return
        first = torch.stack(list(self._first.values()))
        distributed.least(first)
        steps = first.tolist()
        step = min(steps)
        if step < NEVER:
            terms = [name for name, at in zip(self._first, steps, strict=True) if at == step]
            raise NonFiniteError(
                f"{', '.join(terms)} became NaN or infinite in step {step + 1}; {self.ADVICE}"
            )

    def check_weights(self, method: Method, step: int) -> None:
        """Raises NonFiniteError naming tensors: a finite loss can have a gradient that is not."""
        weights = {name: value for name, value in method.state_dict().items() if value.is_floating_point()}
        good = [torch.isfinite(value).all() for value in weights.values()]
        bad = [name for name, fine in zip(weights, torch.stack(good).tolist(), strict=True) if not fine] if good else []
        if bad:
            names = ", ".join(bad[:3]) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
            raise NonFiniteError(f"weights became NaN or infinite by step {step}: {names}; {self.ADVICE}")


class Meter:
    """Means of what was logged since the last line, and the speed."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._steps, self._began = 0, time.monotonic()

    def add(self, logs: Mapping[str, Tensor]) -> None:
        self._steps += 1
        for name, value in logs.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def flush(self, batch: int) -> tuple[dict[str, float], float]:
        """(name -> mean, images a second), and starts over."""
        values: dict[str, float] = {}
        if self._sums:
            sums = torch.stack(list(self._sums.values()))
            distributed.average([sums])
            means = sums.tolist()
            values = {name: mean / self._counts[name] for name, mean in zip(self._sums, means, strict=True)}
        speed = self._steps * batch / max(time.monotonic() - self._began, 1e-9)
        self.__init__()  # type: ignore[misc]
        return values, speed


def pick_device(name: str) -> torch.device:
    """``auto`` is the first accelerator, or the CPU; under torchrun each process has its own.

    Raises:
        InpaintkitError: there is no such device here.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        name = found.type if found else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InpaintkitError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto``: bfloat16 on GPUs that have it, float32 elsewhere."""
    if name == "auto":
        low = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if low else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def newest(path: Path) -> Path:
    """The newest checkpoint of a run's folder; a checkpoint or a file stands for itself."""
    is_run = (path / "checkpoints").is_dir()
    return checkpoint.latest(path / "checkpoints")[0] if is_run else path


def anywhere(number: int, device: torch.device) -> int:
    """The largest of the processes' numbers."""
    if distributed.world() == 1:
        return number
    told = torch.tensor(-number, device=device)
    distributed.least(told)
    return -int(told)


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """Gives a function that tells the number of the signal that came, Ctrl-C or SIGTERM, or 0.

    A second Ctrl-C interrupts at once (not with several processes: torchrun passes on what the terminal sent already).
    """
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        if received and number == signal.SIGINT and distributed.world() == 1:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield lambda: 0
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received[0] if received else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
