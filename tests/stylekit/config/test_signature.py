import inspect
from pathlib import Path
from typing import Any, Protocol

import pytest

from stylekit.config.signature import class_fits


class Named(Protocol):
    name: str


@pytest.mark.parametrize("annotation", [Any, inspect.Parameter.empty, Any | None, Named, "Unread", object])
def test_what_cannot_be_judged_fits(annotation):
    assert class_fits(Path, annotation)


def test_classes_are_judged():
    assert class_fits(bool, int)
    assert class_fits(Path, str | Path)
    assert not class_fits(Path, int | None)
    assert not class_fits(Path, list[str])
