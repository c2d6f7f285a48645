from __future__ import annotations

import io
import pickle

import numpy as np
import pyarrow as pa
from PIL import Image

from stylekit.atelier import draw, sample_scenes, sample_styles
from stylekit.curation.synthesis import AtelierDrawings, SynthesizeImages, pair

STYLES, SCENES = sample_styles(3, 0), sample_scenes(5, 0)


def make_rows():
    styles = pa.table({"id": list("abc"), "style": [style.prompt() for style in STYLES]})
    contents = pa.table({"id": list("vwxyz"), "content": [scene.prompt() for scene in SCENES]})
    return pair(styles, contents, per_style=2)


def test_drawings_are_those_of_their_prompts_and_seeds():
    rows = make_rows()
    kept, rejects = SynthesizeImages(AtelierDrawings())(rows)
    assert kept.drop_columns(["image"]).equals(rows)
    assert len(rejects) == 0
    by_prompt = {scene.prompt(): scene for scene in SCENES}
    for row in kept.to_pylist():
        scene, style = by_prompt[row["content"]], STYLES["abc".index(row["style_id"])]
        wanted = (draw([scene], [style], [row["seed"]])[0].permute(1, 2, 0) * 255).round().byte().numpy()
        assert (np.asarray(Image.open(io.BytesIO(row["image"]))) == wanted).all()


def test_an_image_is_the_same_in_any_company():
    rows = make_rows()
    step = pickle.loads(pickle.dumps(SynthesizeImages(AtelierDrawings())))
    kept, _ = step(rows)
    assert step(rows.take([5, 3, 1]))[0].equals(kept.take([5, 3, 1]))


def test_prompts_that_cannot_be_drawn_are_rejected():
    rows = make_rows().to_pylist()
    rows[1]["prompt"] = "A unicorn. In the style of nobody."
    kept, rejects = SynthesizeImages(AtelierDrawings())(pa.Table.from_pylist(rows))
    assert kept["id"].to_pylist() == [row["id"] for index, row in enumerate(rows) if index != 1]
    (reject,) = rejects.to_pylist()
    assert (reject["id"], reject["reason"]) == (rows[1]["id"], "prompt outside the atelier's words")
    assert "unicorn" in reject["detail"]


def test_nothing_is_drawn_of_nothing():
    kept, rejects = SynthesizeImages(AtelierDrawings(), images_per_second=4.0)(make_rows().slice(0, 0))
    assert (len(kept), len(rejects)) == (0, 0)
    assert kept.schema.field("image").type == pa.binary()
    assert SynthesizeImages(AtelierDrawings(), images_per_second=4.0).estimate(100).seconds == 25.0
