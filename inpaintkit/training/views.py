"""The views that terms look at, as their options ``on``, ``against`` and ``real`` name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from torch import nn

from ..core.errors import OptionError, did_you_mean

OPTIONS = ("on", "against", "real")


def views_of(term: nn.Module) -> Iterator[tuple[str, str]]:
    """(option, view) of every view that a loss or a critic views_of at."""
    for option in OPTIONS:
        named = getattr(term, option, ())
        for view in (named,) if isinstance(named, str) else named:
            yield option, view


def unknown_views(terms: Mapping[str, nn.Module], drawn: Iterable[str]) -> list[OptionError]:
    """What terms look at and a method does not draw; the path of each is (term, option)."""
    known = sorted({"image", "masked", *drawn})
    return [
        OptionError(f"no view {view!r}{did_you_mean(view, known)}: there are {', '.join(known)}", (name, option))
        for name, term in terms.items()
        for option, view in views_of(term)
        if view not in known
    ]
