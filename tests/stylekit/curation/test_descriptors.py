import pytest

from stylekit.curation.descriptors import Descriptors


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("A WATERCOLOR of a cat", "watercolor"),
        ("Portrait of a lady by Rembrandt", "portrait"),
        ("The harbour, Claude Monet", "monet"),
        ("a ukiyo-e wave", "ukiyo-e"),
        ("a photo of the town hall in 1893", "189"),
        ("people at a party", "art"),  # generous, as the paper's predecessor is
        ("two dogs on the beach at 12:30", None),
        ("", None),
    ],
)
def test_which_captions_speak_of_a_style(caption, found):
    assert Descriptors().match(caption) == found


def test_words_of_ones_own_and_no_years():
    own = Descriptors(words=["Gouache"], more=["linocut"], years=False)
    assert own.match("gouache, 1920") == "gouache"
    assert own.match("A LINOCUT") == "linocut"
    assert own.match("painted in 1920") is None
