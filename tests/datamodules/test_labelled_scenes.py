"""Maps say what the drawing shows, whatever batch it is in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datamodules.atelier import AtelierSource
from datamodules.labelled_scenes import LabelledScenesDataModule, cells_of
from stylekit.atelier import MINI, Scene
from stylekit.batch import SceneBatch
from stylekit.errors import ConfigError


def labelled(cache_dir: Path, **settings: int) -> LabelledScenesDataModule:
    source = AtelierSource(
        num_styles=6, contents_per_style=2, num_contents=8, held_out_styles=2, repertoire="mini"
    )
    return LabelledScenesDataModule(
        source, styles_per_batch=4, val_styles=2, cache_dir=str(cache_dir), **settings
    )


def test_maps_show_the_things_of_the_prompts(tmp_path: Path) -> None:
    data = labelled(tmp_path)
    batches = data.train_batches(0)
    for batch in [*(batches(position, 0, 1) for position in range(3)), *data.val_batches()]:
        assert isinstance(batch, SceneBatch)
        for prompt, covering, instances in zip(
            batch.content_prompts, batch.covering, batch.instances, strict=True
        ):
            scene = Scene.from_prompt(prompt)
            seen = {MINI.things[thing] for thing in covering.unique().tolist() if thing >= 0}
            assert seen == {item.name for item in scene.objects}
            assert int(instances.max()) + 1 == sum(item.count for item in scene.objects)
            assert torch.equal(instances < 0, covering < 0)


def test_maps_and_images_are_the_same_in_another_order(tmp_path: Path) -> None:
    first, second = labelled(tmp_path).train_batches(0)(0, 0, 1), labelled(tmp_path).train_batches(1)(0, 0, 1)
    keys = [
        list(zip(one.style_ids.tolist(), one.content_ids.tolist(), strict=True)) for one in (first, second)
    ]
    shared = [(keys[0].index(key), keys[1].index(key)) for key in set(keys[0]) & set(keys[1])]
    assert shared
    for mine, theirs in shared:
        assert torch.equal(first.images[mine], second.images[theirs])
        assert torch.equal(first.covering[mine], second.covering[theirs])


def test_what_is_in_front_hides_what_is_behind() -> None:
    shapes = torch.zeros(1, 2, 8, 8, dtype=torch.bool)
    shapes[0, 0, :, :4] = True  # the left half, behind
    shapes[0, 1, :4, :] = True  # the upper half, in front
    shapes[0, 1, 4, 4:7] = True  # 3 of 16 pixels of the cell below right: too little
    covering, instances = cells_of(shapes, torch.tensor([[5, 9]]))
    assert covering[0].tolist() == [[9, 9], [5, -1]]
    assert instances[0].tolist() == [[1, 1], [0, -1]]


def test_source_without_a_repertoire_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="repertoire=mini"):
        LabelledScenesDataModule(AtelierSource(), cache_dir=str(tmp_path))
