"""Registers the command ``inpaintkit compare``; imports neither torch nor the rest of the package."""

from __future__ import annotations

from inpaintkit import RegisterCommands, hookimpl

inpaintkit_api = 1


@hookimpl
def register_commands(register: RegisterCommands) -> None:
    about = "Measures methods side by side: a table, charts and pictures."
    register("compare", "inpaintkit_compare.command:compare", about)
