"""Read one YAML file: its values, the line of each key, and its header comment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from stylekit.config.mistake import Mistake

__all__ = ["Document", "KeyPath", "mark_lines", "parse_value", "read_document", "read_header", "short_path"]

KeyPath = tuple[str, ...]
_SCALAR_TYPES = (str, int, float, bool, type(None))
_HEADER_LINE = re.compile(r"#\s*(what|paper|command|needs|expect|encodes|renders|stages)\s*:\s*(.*)")


@dataclass
class Document:
    """The values of one file, with "file:line" for every key path."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    @cached_property
    def name(self) -> str:
        """Its path, as people are told it."""
        return short_path(self.path)


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2: 1e-3 is a number and a date is a string."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_document(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping; mistakes are gathered, not raised."""
    document = Document(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        document.mistakes.append(Mistake(document.name, f"cannot be read: {error}"))
        return document
    try:
        root = _compose(text)
        if root is None:
            return document
        if not isinstance(root, yaml.MappingNode):
            document.mistakes.append(Mistake(document.name, "must hold `key: value` lines at its top level."))
            return document
        _mark(root, (), document, ())
        if not document.mistakes:
            document.values = _construct(root)
    except yaml.YAMLError as error:
        document.mistakes.append(_syntax_mistake(document.name, error))
    return document


def parse_value(text: str) -> Any:
    """Read the value of an override as YAML, its keys as words; raises yaml.YAMLError."""
    root = _compose(text)
    return None if root is None else _with_words(_construct(root))


def read_header(path: Path) -> dict[str, str]:
    """Read the `# what: ...` lines before the first key."""
    header: dict[str, str] = {}
    key = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if found := _HEADER_LINE.match(line):
            key = found[1]
            header[key] = found[2].strip()
        elif key and (rest := line.lstrip("# ").strip()):
            header[key] += " " + rest
    return header


def mark_lines(text: str) -> dict[int, KeyPath]:
    """Map the number of each line (from 0) that a comment may follow to the key path that it writes."""
    marked: dict[int, KeyPath] = {}
    waiting: list[tuple[KeyPath, yaml.Node | None]] = [((), _compose(text))]
    while waiting:
        path, node = waiting.pop(0)
        if isinstance(node, yaml.MappingNode):
            items = [((*path, key.value), key.start_mark.line, value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            items = [((*path, str(i)), value.start_mark.line, value) for i, value in enumerate(node.value)]
        else:
            continue
        for below, line, value in items:
            if isinstance(value, yaml.CollectionNode) or line == value.end_mark.line:
                marked[line] = below
            waiting.append((below, value))
    return marked


def short_path(path: Path) -> str:
    """Write a path relative to the working folder where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _construct(root: yaml.Node) -> Any:
    return _Loader("").construct_document(root)


def _with_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_words(item) for key, item in value.items()}
    return [_with_words(item) for item in value] if isinstance(value, list) else value


def _mark(node: yaml.Node, path: KeyPath, document: Document, above: tuple[int, ...]) -> None:
    where = f"{document.name}:{node.start_mark.line + 1}"
    if id(node) in above:
        document.mistakes.append(Mistake(where, "an alias refers to the mapping or list that holds it."))
        return
    above = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.origins[(*path, str(index))] = f"{document.name}:{item.start_mark.line + 1}"
            _mark(item, (*path, str(index)), document, above)
    elif isinstance(node, yaml.MappingNode):
        _mark_mapping(node, path, document, above)
    elif not isinstance(_construct(node), _SCALAR_TYPES):
        document.mistakes.append(
            Mistake(where, "values are text, numbers, true, false, null, lists and mappings.")
        )


def _mark_mapping(node: yaml.MappingNode, path: KeyPath, document: Document, above: tuple[int, ...]) -> None:
    for key_node, value_node in node.value:
        here = f"{document.name}:{key_node.start_mark.line + 1}"
        if key_node.tag == "tag:yaml.org,2002:merge":
            document.mistakes.append(
                Mistake(here, "`<<` merges are not supported; name a file with `_file_`.")
            )
            continue
        if key_node.tag != "tag:yaml.org,2002:str":
            document.mistakes.append(Mistake(here, f"keys are words; put quotes round {key_node.value!r}."))
            continue
        key = (*path, str(key_node.value))
        if key in document.origins:
            document.mistakes.append(
                Mistake(here, f"{'.'.join(key)!r} is given twice; the first is at {document.origins[key]}.")
            )
            continue
        document.origins[key] = here
        _mark(value_node, key, document, above)


def _syntax_mistake(name: str, error: yaml.YAMLError) -> Mistake:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return Mistake(
            f"{name}:{error.problem_mark.line + 1}", f"YAML syntax: {error.problem or error.context}."
        )
    return Mistake(name, f"YAML syntax: {error}.")
