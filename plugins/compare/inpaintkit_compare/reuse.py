"""Rows of earlier comparisons, taken over instead of being measured again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from inpaintkit.core.errors import InpaintkitError, Problem, RecipeError
from inpaintkit.evaluation import TestSet

from .comparison import FILE, Comparison, ComparisonRow, Earlier, read_comparison

#: Settings of a protocol that its hash leaves out.
NOT_HASHED = ("name", "description", "images", "limit")


@attrs.frozen(eq=False)
class Given:
    """What ``reuse`` names: a folder, with the comparisons in it by their places."""

    name: str
    comparisons: Mapping[str, Comparison]

    def fitting(self, test_set: TestSet) -> dict[str, Comparison]:
        """The comparisons under the protocol of a test set, on its pictures."""
        return {place: one for place, one in self.comparisons.items() if _is_under(one, test_set)}


@attrs.frozen
class Reused:
    """What earlier comparisons have for one protocol.

    Attributes:
        rows: in their order, without differences.
        left_out: a line for each row that is not taken over, and why.
    """

    rows: tuple[ComparisonRow, ...] = ()
    left_out: tuple[str, ...] = ()


def read_earlier(source: str | Path | Comparison) -> Given:
    """A comparison, the one in a folder, or those in the folders beneath; means over protocols are passed over.

    Raises:
        RecipeError: every file that is damaged, or that there is no comparison.
    """
    if isinstance(source, Comparison):
        return Given("a comparison", {f"a comparison under {source.name}": source})
    path = Path(source)
    beneath = [] if not path.is_dir() or (path / FILE).exists() else sorted(path.glob(f"*/{FILE}"))
    found, problems = {}, []
    for file in beneath or [path]:
        place = file.parent if beneath else file
        try:
            found[str(place)] = read_comparison(file)
        except InpaintkitError as error:
            problems.append(Problem(str(error)))
    if not problems and all(one.mean_of for one in found.values()):
        problems.append(Problem(f"{path} is a mean over protocols: name the folder with the comparison under each"))
    if problems:
        raise RecipeError(problems)
    return Given(str(path), {place: one for place, one in found.items() if not one.mean_of})


def require_fit(given: Sequence[Given], test_sets: Sequence[TestSet]) -> None:
    """Every protocol has an earlier comparison, and everything that was named is of use.

    Raises:
        RecipeError: what differs where nothing fits; and comparisons that fit the same protocol in one folder.
    """
    problems = []
    for test_set in test_sets:
        name, fitting = test_set.protocol.name, [one.fitting(test_set) for one in given]
        problems += [
            Problem(f"{', '.join(places)} are all under {name} as it is here: name the one to reuse")
            for places in fitting
            if len(places) > 1
        ]
        if not any(fitting):
            every = [pair for one in given for pair in one.comparisons.items()]
            named = [(place, one) for place, one in every if one.name == name]
            reasons = "; ".join(f"{place} has {_difference(one, test_set)}" for place, one in named or every)
            problems.append(Problem(f"there is no comparison to reuse for {name}: {reasons}"))
    if not problems:
        problems = [
            Problem(f"{one.name} has no comparison under {', '.join(each.protocol.name for each in test_sets)}")
            for one in given
            if not any(one.fitting(test_set) for test_set in test_sets)
        ]
    if problems:
        raise RecipeError(problems)


def reused_rows(given: Sequence[Given], test_set: TestSet, measured: Collection[str]) -> Reused:
    """The rows for one protocol but for the names that are ``measured``; of a name the first row counts."""
    rows: dict[str, ComparisonRow] = {}
    left_out = []
    for place, comparison in (pair for one in given for pair in one.fitting(test_set).items()):
        for row in comparison.rows:
            if row.name in measured:
                left_out.append(f"{row.name} is measured anew, and not taken over from {place}")
            elif row.name in rows:
                left_out.append(f"{row.name} is not taken over from {place}: a comparison before it has this row")
            else:
                earlier = row.earlier or Earlier.of(comparison)
                rows[row.name] = attrs.evolve(row, earlier=earlier, differences={}, p_values={}, p_holm={})
    return Reused(tuple(rows.values()), tuple(left_out))


def _is_under(comparison: Comparison, test_set: TestSet) -> bool:
    images = test_set.images
    return (comparison.hash, comparison.digest, comparison.names) == (test_set.hash, images.digest, images.names)


def _difference(comparison: Comparison, test_set: TestSet) -> str:
    """How the conditions of a comparison differ from a protocol's, in words."""
    there, here = dict(_leaves(comparison.protocol)), dict(_leaves(test_set.protocol.settings()))
    settings = [
        f"{key} {there.get(key, 'not set')!r} in place of {here.get(key, 'not set')!r}"
        for key in dict.fromkeys([*here, *there])
        if there.get(key) != here.get(key)
    ]
    if settings:
        return ", ".join(settings)
    names = test_set.images.names
    if len(comparison.names) != len(names):
        return f"other pictures ({len(comparison.names):,} in place of {len(names):,})"
    if comparison.names != names:
        return "other pictures, by their names"
    if comparison.digest != test_set.images.digest:
        return "pictures of the same names with other pixels"
    return "other holes or rules of measuring from the same settings: it is of another version"


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings and lists with their paths, as in ``masks.side``, that a hash depends on."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if path or key not in NOT_HASHED:
                yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list | tuple):
        for at, value in enumerate(tree):
            yield from _leaves(value, f"{path}[{at}]")
    else:
        yield path, tree
