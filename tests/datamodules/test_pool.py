"""The image cache: content-addressed, atomic, made again when broken."""

import multiprocessing
import pickle

import numpy as np
import pytest

from datamodules.pool import open_pool


def images(count, made=None):
    for i in range(count):
        if made is not None:
            made.append(i)
        yield np.full((4, 4, 3), i, dtype=np.uint8)


def opened(folder, count=5, made=None, key="k", notes=None):
    return open_pool(folder, key, 4, images(count, made), {} if notes is None else notes, count, "Drawing")


def test_pool_returns_what_was_put_in_and_is_made_once(tmp_path):
    made = []
    pool = opened(tmp_path, made=made)
    assert [int(image[0, 0, 0]) for image in pool.images] == [0, 1, 2, 3, 4]
    again = opened(tmp_path, made=made)
    assert np.array_equal(again.images, pool.images)
    assert made == [0, 1, 2, 3, 4]


def test_plain_numpy_reads_the_file(tmp_path):
    pool = opened(tmp_path)
    assert np.load(pool.folder / "images.npy").shape == (5, 4, 4, 3)


def test_another_key_is_another_pool(tmp_path):
    opened(tmp_path, key="a")
    assert len(opened(tmp_path, 7, key="b")) == 7


@pytest.mark.parametrize("file", ["images.npy", "notes.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_broken_pool_is_made_again(tmp_path, file, damage):
    path = opened(tmp_path).folder / file
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 0 if damage == "empty" else -3])
    made = []
    assert opened(tmp_path, made=made).images[4, 0, 0, 0] == 4
    assert len(made) == 5


def test_interrupted_making_leaves_nothing_behind(tmp_path):
    def failing():
        yield from images(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_pool(tmp_path, "k", 4, failing(), {}, 5, "Drawing")
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["k.lock"]
    assert len(opened(tmp_path)) == 5


def test_notes_are_kept_as_they_are_at_the_end(tmp_path):
    notes = {"rows": []}

    def noting():
        for image in images(3):
            notes["rows"].append(int(image[0, 0, 0]))
            yield image

    open_pool(tmp_path, "k", 4, noting(), notes, None, "Reading")
    assert opened(tmp_path).notes == {"rows": [0, 1, 2], "count": 3}


def test_empty_pool(tmp_path):
    assert len(opened(tmp_path, 0)) == 0


def test_pickled_pool_holds_no_images(tmp_path):
    pool = open_pool(
        tmp_path, "k", 64, (np.zeros((64, 64, 3), np.uint8) for _ in range(50)), {}, 50, "Drawing"
    )
    pickled = pickle.dumps(pool)
    assert len(pickled) < 2_000
    assert np.array_equal(pickle.loads(pickled).images, pool.images)


def _count(folder, queue):
    made = []
    opened(folder, 50, made)
    queue.put(len(made))


def test_processes_at_the_same_time_make_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    processes = [context.Process(target=_count, args=(tmp_path, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(queue.get() for _ in processes) == [0, 0, 50]
