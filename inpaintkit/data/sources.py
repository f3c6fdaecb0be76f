"""Where pictures come from, and the steps that are done to each of them once, before the cache."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Annotated

import attrs
from annotated_types import Ge, MinLen

from ..core.errors import DataError, OptionError

Side = Annotated[int, Ge(1)]


@attrs.frozen
class Prepare:
    """Deterministic steps done once to every picture, in this order; None leaves a step out.

    Attributes:
        short_side: resize, keeping the proportions, so that the short side has this many pixels.
        crop: cut out the center square of this side; smaller pictures are refused by name.
        tiles: cut into as many squares of this side as fit without overlap, centered; smaller pictures are refused.
    """

    short_side: Side | None = None
    crop: Side | None = None
    tiles: Side | None = None

    def __attrs_post_init__(self) -> None:
        problems = [
            OptionError(f"{name} is {value!r}: a whole number of pixels, at least 1, is needed", (name,))
            for name, value in attrs.asdict(self).items()
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1)
        ]
        if not problems:
            problems = [
                OptionError(f"{inner} ({small}) is larger than {outer} ({large}), which comes before it", (inner,))
                for outer, inner in (("short_side", "crop"), ("short_side", "tiles"), ("crop", "tiles"))
                if (large := getattr(self, outer)) and (small := getattr(self, inner)) and small > large
            ]
        if problems:
            raise OptionError.join(problems)


@attrs.frozen
class PackageFiles:
    """Pictures that ship inside an installed package: ``{package: skimage, files: [data/astronaut.png]}``."""

    package: Annotated[str, MinLen(1)]
    files: Annotated[list[str], MinLen(1)]

    def __attrs_post_init__(self) -> None:
        problems = [
            OptionError(f"{name!r} is not a path inside the package: write it as in data/astronaut.png", ("files", at))
            for at, name in enumerate(self.files)
            if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name
        ]
        if problems:
            raise OptionError.join(problems)

    def paths(self) -> dict[str, Path]:
        """``package:file`` -> the path of the file.

        Raises:
            DataError: the package is not installed, or some of the files are missing.
        """
        try:
            module = import_module(self.package)
        except ImportError as error:
            raise DataError(f"package {self.package!r} holds the pictures, but cannot be imported ({error})") from error
        roots = [Path(root) for root in getattr(module, "__path__", [])]
        if not roots:
            raise DataError(f"{self.package!r} is a single module, which holds no files")
        found: dict[str, Path] = {}
        missing: list[str] = []
        for name in self.files:
            places = [root / name for root in roots if (root / name).is_file()]
            if places:
                found[f"{self.package}:{name}"] = places[0]
            else:
                missing.append(name)
        if missing:
            raise DataError(f"package {self.package!r} has no file {', '.join(missing)} (looked in {roots[0]})")
        return found


#: Where pictures come from: a folder, a .zip, a single picture, or files of an installed package.
Source = Path | PackageFiles
