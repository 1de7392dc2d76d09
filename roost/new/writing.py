"""Writes what `roost new` makes; never over anything that is there."""

from importlib.resources import files
from pathlib import Path

from roost.new.generation import Generation, filled
from roost.shared.config import BadSetting


def write(directory: Path, generation: Generation) -> list[Path]:
    """Make all files, or none. Answers their paths. Raises BadSetting if one of them is there."""
    there = [file.path for file in generation.files if (directory / file.path).exists()]
    if there:
        raise BadSetting(f"{directory / there[0]} is there already: nothing was made")
    templates = files("roost.new") / "templates"
    made = []
    for file in generation.files:
        path = directory / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        template = (templates / f"{file.template}.txt").read_text(encoding="utf-8") if file.template else ""
        path.write_text(filled(template, file.names), encoding="utf-8")
        made.append(path)
    return made


def package_here(directory: Path) -> str:
    """The package of the application in a directory: the one that has an `endpoint.py`. Raises BadSetting."""
    found = sorted(path.parent.name for path in directory.glob("*/endpoint.py"))
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} packages have" if found else "no package has"
    raise BadSetting(
        f"{what} an endpoint.py below {directory}: go to the directory of an application made by `roost new app`, "
        "or name the package with --package"
    )
