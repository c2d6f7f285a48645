import pyarrow as pa

from stylekit.curation.failure import rejects_table
from stylekit.curation.shards import Shards
from stylekit.curation.step import Inputs
from stylekit.curation.writing import Write


def test_a_data_set_of_which_every_row_was_dropped_has_a_card_nevertheless(tmp_path, picture):
    rows = {
        "pool": {"id": ["s/0"], "pool": ["style"], "source": ["s"], "licence": ["CC0-1.0"]},
        "pair": {"id": ["a"]},
        "synthesize": {
            "id": ["a"], "image": [picture()], "style": ["x"], "content": ["y"], "style_id": ["s"],
            "content_id": ["c"], "seed": [0],
        },
        "audit": {"id": ["a"], "consistency": [0.1], "elsewhere": [0.2], "is_outlier": [True]},
    }  # fmt: skip
    steps = {name: Shards(tmp_path / name, tmp_path / name) for name in rows}
    for name, columns in rows.items():
        steps[name].write(0, pa.table(columns), rejects_table([]))
    into = Shards(tmp_path / "write", tmp_path / "data")
    for kept, rejects in Write(drop_outliers=True)(Inputs(steps, into)):
        into.write(0, kept, rejects)
    assert into.read_rejects()["reason"].to_pylist() == ["outlier"]
    assert "0 images of 0 styles and 0 contents" in (into.parts / "README.md").read_text()
    assert (into.parts / "sheet.jpg").is_file()
