"""stylekit render."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import yaml

import stylekit
from stylekit.config.folders import GROUPS
from stylekit.config.mistake import suggestion
from stylekit.errors import ConfigError

_KEYS = {
    "references": "pictures to take the style from: a file, a folder, a pattern; or [several]",
    "prompt": "what an image is to show; may be given more than once",
    "prompts": "a text file with a prompt on each line",
    "contents": "pictures whose layout is kept, for methods that take them",
    "seeds": "0 by default; [0,1,2] or 0-7: an image for each",
    "out": "the folder to write to (renders)",
    "group": "true: the pictures of a folder are references of one style, and so are files given singly",
    "batch_size": "images at once; as many as fit by default",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    what = "a run folder, a file or folder that `stylekit export` wrote, or an experiment's name"
    parser.add_argument("target", metavar="TARGET", help=what)
    parser.add_argument(
        "words", nargs="*", default=[], metavar="KEY=VALUE", help="what to render (below), or an override"
    )
    width = max(map(len, _KEYS))
    keys = "\n".join(f"  {key:<{width}}  {text}" for key, text in _KEYS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        f"keys:\n{keys}\n  any other is an override, such as method.num_steps=50\n\n"
        'stylekit render megastyle_flux references=PICTURE "prompt=a cat beside a house"'
    )


def run(arguments: argparse.Namespace) -> int:
    """Render; 3 if something was left out."""
    request, overrides = _split(arguments.words)
    rendered = stylekit.render(
        arguments.target, *overrides, config_dirs=arguments.config_dirs, **_read(request)
    )
    kept = len(rendered.files) - rendered.num_made
    print(f"  images   {rendered.num_made} made" + (f", {kept} there already" if kept else ""))
    print(f"  written  {rendered.folder}")
    print(f"  sheet    {', '.join(map(str, rendered.sheets))}")
    if rendered.left_out:
        print(f"  left out {len(rendered.left_out)}, each with its reason above")
    return 3 if rendered.left_out else 0


def _split(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Tell what is to be rendered from overrides."""
    request, overrides = list[tuple[str, str]](), list[str]()
    for word in words:
        key, equals, value = word.partition("=")
        if key in _KEYS and equals:
            request.append((key, value))
        elif equals and "." not in key and key not in (*GROUPS, "learned"):
            raise ConfigError(f"render takes no {key!r}. {suggestion(key, (*_KEYS, *GROUPS))}")
        else:
            overrides.append(word)
    return request, overrides


def _read(request: list[tuple[str, str]]) -> dict[str, Any]:
    """Turn words into arguments of `render`."""
    said: dict[str, Any] = {}
    for key, text in request:
        if key == "prompt":
            said.setdefault("prompts", []).append(text)
        elif key == "prompts":
            said.setdefault("prompts", []).append(Path(text))
        elif key in ("references", "contents"):
            said.setdefault(key, []).extend(_list(key, text))
        elif key == "seeds":
            said.setdefault(key, []).extend(_seeds(text))
        elif key in said:
            raise ConfigError(f"{key} is given twice.")
        else:
            said[key] = _one(key, text)
    return said


def _one(key: str, text: str) -> Any:
    if key == "out":
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    wanted: type = {"group": bool, "batch_size": int}[key]
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        kind = "true or false" if wanted is bool else "a whole number"
        raise ConfigError(f"{key} must be {kind}, not {text!r}.")
    return value


def _list(key: str, text: str) -> list[str]:
    """Read [a, b] as a list and all else as one path, which may hold any letter."""
    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    try:
        return [str(item) for item in yaml.safe_load(text)]
    except yaml.YAMLError:
        raise ConfigError(f"{key}={text} is no list; write {key}=[a.png,b.png].") from None


def _seeds(text: str) -> list[int]:
    if found := re.fullmatch(r"(\d+)-(\d+)", text):
        first, last = int(found[1]), int(found[2])
        if first > last:
            raise ConfigError(f"seeds={text} runs backwards.")
        return list(range(first, last + 1))
    numbers = re.fullmatch(r"\[?\s*(\d+(?:\s*,\s*\d+)*)\s*\]?", text)
    if not numbers:
        raise ConfigError(f"seeds={text}: write a number, [0,1,2] or 0-7.")
    return [int(number) for number in numbers[1].split(",")]
