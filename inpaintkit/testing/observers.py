"""The properties of observers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .component import Check, Component, doing
from .options import builds, options_are_typed

RECIPE = {"name": "conformance", "seed": 0, "run": {"device": "cpu"}}
RESULTS = {"run": "conformance", "metrics": {}, "protocol": {"name": "conformance"}}


def call(method: Callable[..., Any], *arguments: Any) -> None:
    """Calls one method; an exception becomes a violation that names the method."""
    with doing(f"{method.__name__}()"):
        method(*arguments)


def start(observer: Any, folder: Path) -> None:
    """Creates the run folder and calls ``started``."""
    folder.mkdir(exist_ok=True)
    call(observer.started, folder, RECIPE)


def accepts_training(component: Component) -> None:
    """It accepts a training with varying names that stops and is resumed with another instance."""
    folder = component.folder / "run"
    for resumed, reason in ((0, "stopped"), (4, "finished")):
        observer = component.build()
        start(observer, folder)
        for step in (resumed + 2, resumed + 4):
            call(observer.logged, step, {"seconds": 0.5, "generator/loss": 0.25 / step}, {"stage": "first"})
        call(observer.logged, resumed + 4, {"validation/psnr": 20.0}, {})
        call(observer.ended, reason)


def accepts_evaluation(component: Component) -> None:
    """It accepts an evaluation, in which nothing is logged, also twice with one instance."""
    observer = component.build()
    for _ in range(2):
        start(observer, component.folder / "run")
        call(observer.evaluated, RESULTS)
        call(observer.ended, "finished")


def accepts_failure(component: Component) -> None:
    """It accepts a run that fails before anything is logged."""
    observer = component.build()
    start(observer, component.folder / "run")
    call(observer.ended, "failed: NonFiniteError: generator/loss is NaN")


OBSERVER: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "training": accepts_training,
    "evaluation": accepts_evaluation,
    "failure": accepts_failure,
}
