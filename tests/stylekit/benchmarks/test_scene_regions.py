import torch

from stylekit.atelier import Scene, SceneObject, lay_out
from stylekit.atelier.vocabulary import index_of
from stylekit.benchmarks.scene_regions import FIRST_KIND, kind_masks, true_regions, true_regions_of

SCENE = Scene((SceneObject("cat", 2), SceneObject("house")), ("in front of",), "on the grass")


def test_the_foremost_thing_counts_and_things_of_a_kind_are_one():
    maps = lay_out([SCENE], [3], 64)
    (found,) = true_regions(maps)
    for y in range(0, 64, 3):
        for x in range(0, 64, 3):
            expected = int(maps.backdrop[0, :, y, x].argmax())
            for place in range(4):  # back to front
                if maps.present[0, place] and maps.shapes[0, place, 0, y, x] > 0:
                    expected = FIRST_KIND + int(maps.object_ids[0, place])
            assert found[y, x] == expected
    assert set(found.unique().tolist()) >= {
        0,
        1,
        FIRST_KIND + index_of("cat"),
        FIRST_KIND + index_of("house"),
    }
    assert torch.equal(true_regions_of([SCENE], [3], 64)[0], found)


def test_a_kind_is_marked_where_it_is_seen():
    regions = true_regions_of([SCENE, SCENE], [3, 4], 64)
    cats, houses = kind_masks(regions, "cat"), kind_masks(regions, "house")
    assert not (cats & houses).any()
    assert torch.equal(cats | houses, regions >= FIRST_KIND)
    assert cats.any(2).any(1).all()
