"""Properties of observers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .component import Check, Component, doing
from .options import builds, options_are_typed

RECIPE = {"name": "conformance", "seed": 0, "run": {"device": "cpu"}}
RESULTS = {"run": "conformance", "metrics": {}, "protocol": {"name": "conformance"}}


def call(method: Callable[..., Any], *arguments: Any) -> None:
    """Calls one method; an exception becomes a violation that names it."""
    with doing(f"{method.__name__}()"):
        method(*arguments)


def start(observer: Any, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    call(observer.started, folder, RECIPE)


def follows_a_training(component: Component) -> None:
    """It follows a training in which names come and go, that stops and is resumed by another instance."""
    folder = component.folder / "run"
    for resumed, reason in ((0, "stopped"), (4, "finished")):
        observer = component.build()
        start(observer, folder)
        for step in (resumed + 2, resumed + 4):
            call(observer.logged, step, {"seconds": 0.5, "generator/loss": 0.25 / step}, {"stage": "first"})
        call(observer.logged, resumed + 4, {"validation/psnr": 20.0}, {})
        call(observer.ended, reason)


def follows_an_evaluation(component: Component) -> None:
    """It follows an evaluation, which logs nothing, also twice by one instance."""
    observer = component.build()
    for _ in range(2):
        start(observer, component.folder / "run")
        call(observer.evaluated, RESULTS)
        call(observer.ended, "finished")


def follows_a_failure(component: Component) -> None:
    """It follows a run that fails before anything was logged."""
    observer = component.build()
    start(observer, component.folder / "run")
    call(observer.ended, "failed: NonFiniteError: generator/loss is NaN")


OBSERVER: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "training": follows_a_training,
    "evaluation": follows_an_evaluation,
    "failure": follows_a_failure,
}
