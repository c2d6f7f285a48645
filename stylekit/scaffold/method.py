"""Write the skeleton of a method."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from stylekit import __version__
from stylekit.config import config_dirs as find_config_dirs
from stylekit.config import list_group
from stylekit.errors import ConfigError
from stylekit.run import write_atomically

__all__ = ["new_method"]

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "methods/{name}/README.md",
    "__init__.py": "methods/{name}/__init__.py",
    "method.py": "methods/{name}/{name}.py",
    "method.yaml": "methods/{name}/configs/method/{name}.yaml",
    "experiment.yaml": "methods/{name}/configs/experiment/{name}.yaml",
    "test_method.py": "tests/test_{name}.py",
}


def new_method(name: str, folder: Path | None = None, config_dirs: Sequence[Path] = ()) -> Path:
    """Write a package with a working method, its card, configs and tests; returns the folder.

    Args:
        name: Of the method, in small letters with underscores; also of its config and its experiment.
        folder: The package; a new folder of the method's name by default.
        config_dirs: Further config folders, whose names are taken too.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(
            f"A method is named in small letters, digits and underscores, as in ink_flow; not {name!r}."
        )
    for group in ("method", "experiment"):
        if files := list_group(group, find_config_dirs(config_dirs)).get(name):
            raise ConfigError(f"There is a {group} {name!r} already, in {files[0][1]}; choose another name.")
    place = folder or Path(name)
    paths = {template: place / path.format(name=name) for template, path in _FILES.items()}
    if taken := [str(path) for path in paths.values() if path.exists()]:
        raise ConfigError(f"Nothing is overwritten, and these exist already: {', '.join(taken)}.")
    words = {"name": name, "cls": "".join(map(str.capitalize, name.split("_"))), "version": __version__}
    templates = Environment(
        loader=PackageLoader("stylekit.scaffold", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    for template, path in paths.items():
        write_atomically(path, templates.get_template(f"{template}.jinja").render(words))
    return place
