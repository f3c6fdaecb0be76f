"""``python -m tests.fuzz --seed S --minutes M``: random damage of every kind, and a summary of what became of it."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module

import click

from .harness import FAULTS, OUTCOMES

#: Each kind of case, and its function ``run(seed, seconds, only=None) -> counts of outcomes``.
KINDS = {"pictures": "fuzz_pictures:run"}


@click.command()
@click.argument("kinds", nargs=-1, type=click.Choice(list(KINDS)))
@click.option("--seed", default=0, show_default=True)
@click.option("--minutes", default=5.0, show_default=True, help="For all kinds together.")
@click.option("--case", "only", type=int, help="Only the case of this number, of one kind.")
def main(kinds: Sequence[str], seed: int, minutes: float, only: int | None) -> None:
    """Tries damaged input of KINDS (by default all) and prints how often each outcome was seen.

    The exit code is 1 after a traceback, a hang or more memory than is allowed.
    """
    warnings.simplefilter("ignore")  # decoders warn of much of the damage
    chosen = kinds or list(KINDS)
    total: Counter[str] = Counter()
    print(f"{'seed ' + str(seed):12}" + "".join(f"{outcome:>10}" for outcome in OUTCOMES))
    for kind in chosen:
        module, name = KINDS[kind].split(":")
        run: Callable[..., Counter[str]] = getattr(import_module(f"{__package__}.{module}"), name)
        counts = run(seed, 60 * minutes / len(chosen), only)
        total += counts
        print(f"{kind:12}" + "".join(f"{counts[outcome]:10,}" for outcome in OUTCOMES), flush=True)
    sys.exit(int(any(total[fault] for fault in FAULTS)))


if __name__ == "__main__":
    main()
