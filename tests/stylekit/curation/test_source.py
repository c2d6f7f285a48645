from stylekit.curation.source import Found, ImageFolder
from stylekit.pixels import Rejection


def test_files_with_captions_beside_them(tmp_path, picture):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b.jpg").write_bytes(picture(seed=1))
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "a.txt").write_text(" a cat \n")
    source = ImageFolder(str(tmp_path), pool="style", licence="CC0-1.0", name="mine")
    places = list(source.places())
    assert [(place.name, place.images, place.pool) for place in places] == [
        ("a.png", 1, "style"),
        ("inner/b.jpg", 1, "style"),
    ]
    found = [one for place in places for one in source.read(place.where)]
    assert found == [Found("a.png", picture(), "a cat"), Found("inner/b.jpg", picture(seed=1), None)]


def test_a_changed_caption_changes_the_stamp(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture())
    source = ImageFolder(str(tmp_path))
    before = next(source.places()).stamp
    (tmp_path / "a.txt").write_text("new")
    assert next(source.places()).stamp != before


def test_a_file_that_is_gone_by_then_is_a_rejection(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture())
    source = ImageFolder(str(tmp_path))
    places = list(source.places())
    (tmp_path / "a.png").unlink()
    assert list(source.read(places[0].where)) == [
        Rejection("a.png", "unreadable file (No such file or directory)")
    ]
