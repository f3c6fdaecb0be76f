"""The command ``inpaintkit report``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Rewrites report.html from the files of RUN."""
    from .page import write_report  # imports torch

    click.echo(write_report(run))
