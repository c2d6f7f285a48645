from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from stylekit import file_digest as module
from stylekit.file_digest import file_digest, files_digest


def test_a_digest_is_of_all_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_SMALL", 10)
    for size in (5, 50):
        path = tmp_path / "file"
        path.write_bytes(b"a" * size)
        assert file_digest(path) == hashlib.sha256(b"a" * size).hexdigest()
        assert file_digest(path) == hashlib.sha256(b"a" * size).hexdigest()
        path.write_bytes(b"a" * (size - 1) + b"b")
        os.utime(path, ns=(0, size))  # in the same moment, on a coarse clock
        assert file_digest(path) == hashlib.sha256(b"a" * (size - 1) + b"b").hexdigest()


def test_a_large_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_SMALL", 10)
    path = tmp_path / "file"
    path.write_bytes(b"a" * 50)
    os.utime(path, ns=(0, 7))
    first = file_digest(path)
    path.write_bytes(b"b" * 50)
    os.utime(path, ns=(0, 7))  # by its size and time nothing has changed
    assert file_digest(path) == first


def test_files_are_told_apart_by_names_and_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "below" / "a"]
    files[2].parent.mkdir()
    for file, text in zip(files, "xxy", strict=True):
        file.write_text(text)
    digests = [
        files_digest(files[:1]),
        files_digest(files[1:2]),
        files_digest(files[2:]),
        files_digest(files),
    ]
    assert len({*digests, files_digest([])}) == 5
    assert files_digest([]) == ""
