"""Every YAML that ships is read, composed and checked."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from stylekit.config import Config, check, compose, config_dirs
from stylekit.config.document import read_document, read_header
from stylekit.config.folders import GROUPS
from stylekit.config.target import resolve_target
from stylekit.listing import LISTED_GROUPS, list_configs

OWN = next(one.path for one in config_dirs() if one.origin == "stylekit")
FILES = sorted(OWN.rglob("*.yaml"))


def names(group: str) -> list[str]:
    return [
        path.relative_to(OWN / group).with_suffix("").as_posix()
        for path in FILES
        if path.is_relative_to(OWN / group)
    ]


def test_every_file_lies_in_a_known_group() -> None:
    assert {path.relative_to(OWN).parts[0] for path in FILES} <= set(LISTED_GROUPS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(OWN).as_posix())
def test_file_says_what_it_is(path: Path) -> None:
    header = read_header(path)
    assert header.get("what")
    assert header.get("command")
    assert header.get("needs")


@pytest.mark.parametrize("name", names("experiment"))
def test_experiment_is_right(name: str) -> None:
    check(compose(name))


@pytest.mark.parametrize("name", names("curation"))
def test_curation_is_right(name: str) -> None:
    sources = compose(name, group="curation").values["curation"]["pool"]["sources"]
    given = [f"curation.pool.sources.{at}.path=x" for at, one in enumerate(sources) if "path" in one]
    check(compose(name, given, group="curation"), needs=("curation",))


ALONE = [(group, name) for group in GROUPS if group != "curation" for name in names(group)]


@pytest.mark.parametrize(("group", "name"), ALONE)
def test_group_file_is_right(group: str, name: str) -> None:
    node = read_document(OWN / group / f"{name}.yaml").values
    check(Config(name, {"name": name, "seed": 0, "runs": "", "stages": {}, group: literal(node)}, {}))


def literal(node: Any) -> Any:
    """Keep what a file says itself: what it refers to, or leaves to the user, is for the experiment."""
    if not isinstance(node, dict):
        return node
    kept = {key: literal(value) for key, value in node.items() if not is_open(value)}
    return kept if len(kept) == len(node) else {**kept, "_partial_": True}


def is_open(value: Any) -> bool:
    return isinstance(value, str) and ("${" in value or value == "???")


@pytest.mark.parametrize("name", names("method"))
def test_header_of_a_method_is_true(name: str) -> None:
    entry = next(one for one in list_configs("method") if one.name == name)
    contract = importlib.import_module("stylekit.method")
    cls = resolve_target(read_document(OWN / "method" / f"{name}.yaml").values["_target_"])
    assert entry.stages == cls.stages
    assert entry.encodes == issubclass(cls, contract.StyleEncoder)
    assert entry.renders == issubclass(cls, contract.StyleRenderer)


def test_nothing_that_ships_is_broken() -> None:
    assert [entry for entry in list_configs() if entry.error and entry.origin == "stylekit"] == []


def test_store_lies_beside_the_runs() -> None:
    assert compose("siglip").values["tracking"]["uri"] == "sqlite:///runs/mlflow.db"
    assert (
        compose("siglip", ["runs=/data/runs"]).values["tracking"]["uri"] == "sqlite:////data/runs/mlflow.db"
    )
