from stylekit.curation.exact import exact_duplicates, normalised


def test_case_spaces_and_punctuation_make_no_difference_and_the_first_stays() -> None:
    texts = [
        "In the style of pop-art, red.",
        "Something else",
        "  in the STYLE of pop art ; red",
        "something  else!",
        "In the style of pop art red dots",
        "SOMETHING ELSE",
    ]
    found = exact_duplicates(texts)
    assert found.row.tolist() == [2, 3, 5]
    assert found.duplicate_of.tolist() == found.through.tolist() == [0, 1, 1]
    assert found.level.tolist() == ["exact"] * 3
    assert found.score.tolist() == [1.0] * 3


def test_letters_are_never_taken_for_punctuation() -> None:
    assert normalised("कि") != normalised("का"), "vowel signs are no letters to a regular expression"
    assert normalised("C++") != normalised("C")
    assert normalised("Café") == normalised("cafe\u0301")
    assert normalised("ＡＢ") == "ab"
    assert normalised("Straße") == normalised("STRASSE")


def test_texts_of_punctuation_alone_are_alike_where_they_are_the_same() -> None:
    assert exact_duplicates(["!!!", "...", " !!! ", "", " "]).row.tolist() == [2, 4]


def test_no_texts_and_broken_surrogates_are_fine() -> None:
    assert exact_duplicates([]).row.tolist() == []
    assert exact_duplicates(["a \ud800", "A \ud800"]).row.tolist() == [1]
