import subprocess
import sys

import pytest

from stylekit.run import replacing, write_atomically

PEAKS = """
import subprocess, sys
from stylekit.run import peak_memory
before = peak_memory()
held = bytearray(400_000_000)
held[::4096] = b"x" * len(held[::4096])  # every page is touched
print(before, peak_memory(), flush=True)
code = "from stylekit.run import peak_memory; print(peak_memory())"
subprocess.run([sys.executable, "-c", code], check=True)
"""


def test_the_peak_is_that_of_the_process_and_not_of_its_parent():
    ran = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    before, after, of_child = map(int, ran.stdout.split())
    assert after > before + 300_000_000
    assert of_child < before + 100_000_000


def test_what_fails_midway_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, "old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("ne")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
