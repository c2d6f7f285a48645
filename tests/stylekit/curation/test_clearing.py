import pyarrow as pa
import pytest

from stylekit.curation.clearing import clear
from stylekit.curation.failure import rejects_table
from stylekit.curation.shards import Shards
from stylekit.curation.state import StepState, read_state, write_state
from stylekit.errors import ConfigError


def written(shards):
    shards.write(0, pa.table({"id": ["a"]}), rejects_table([]))
    (shards.folder / ".part-00001.parquet.123").write_bytes(b"PAR1 half")
    (shards.parts / "README.md").write_text("The card.")


@pytest.mark.parametrize("has_state", [True, False])  # without: it was killed while it was cleared
def test_what_a_step_wrote_goes(tmp_path, has_state):
    shards = Shards(tmp_path / "write", tmp_path / "data")
    written(shards)
    if has_state:
        write_state(shards.folder, StepState("d"))
    clear(shards)
    assert read_state(shards.folder) is None
    assert list(shards.folder.iterdir()) == list(shards.parts.iterdir()) == []


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "train-00000-of-00001.parquet", "inner/a.png"])
def test_a_folder_of_somebody_else_is_named_and_left(tmp_path, name):
    shards = Shards(tmp_path / "write", tmp_path / "data")
    file = shards.parts / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(ConfigError, match=r"data is there and no step .* Nothing was deleted"):
        clear(shards)
    assert file.read_text() == "mine"


def test_a_file_of_somebody_else_beside_shards_stays(tmp_path):
    shards = Shards(tmp_path / "write", tmp_path / "data")
    written(shards)
    write_state(shards.folder, StepState("d"))
    (shards.parts / "notes.txt").write_text("mine")
    clear(shards)
    assert [file.name for file in shards.parts.iterdir()] == ["notes.txt"]


def test_the_state_goes_before_the_shards(tmp_path):
    """A step that could not be cleared is not gone on with."""
    shards = Shards(tmp_path / "pool", tmp_path / "pool")
    written(shards)
    write_state(shards.folder, StepState("d"))
    (shards.folder / "part-00001.parquet").mkdir()  # cannot be unlinked
    with pytest.raises(OSError, match="part-00001"):
        clear(shards)
    assert read_state(shards.folder) is None
