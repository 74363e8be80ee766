"""Training texts beside the data sets: carried posts, comparisons, labels read anew."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from sentiment.training import data, templates, translate

DICTIONARY = """\
happy /hˈapi/ <adj>
glücklich <masc>, froh

happy /hˈapi/
zufrieden

love apple /lˈʌv ˈapəl/
Liebesapfel
sad /sˈad/
 [obs.] traurig
to /tuː/
jdm./einer Sache
""".splitlines()


def test_a_dictionary_gives_one_translation_an_entry_and_no_notes() -> None:
    assert translate.read_dictionary(DICTIONARY) == {
        "happy": ["glücklich", "zufrieden"],
        "sad": ["traurig"],
    }


def test_only_known_words_are_replaced_and_handles_and_hashtags_never() -> None:
    words = {"happy": ["froh"], "user": ["Nutzer"], "sad": ["traurig"]}
    mixed = translate.mix(random.Random(1), "@user so Happy, not #sad http", words, 1.0)
    assert mixed == "@user so froh, not #sad http"
    assert translate.mix(random.Random(1), "so happy", words, 0.0) == "so happy"


def test_english_is_drawn_in_equal_parts() -> None:
    posts = [(0, f"bad {i}") for i in range(50)] + [(1, "so"), (2, "good"), (2, "fine")]
    drawn = translate.balanced(random.Random(2), posts, 6)
    assert sorted(label for label, _ in drawn) == [0, 0, 1, 2, 2]


def test_what_came_through_as_it_was_is_dropped() -> None:
    old = [(0, "good day"), (0, "bad day"), (0, "my word"), (0, "no way")]
    new = [(0, "buen día"), (0, "bad day"), (0, "mi palabra"), (0, "no modo")]
    assert sorted(translate.well_carried(old, new)) == sorted([new[0], new[2], new[3]])


@pytest.mark.skipif(shutil.which("apertium") is None, reason="apertium is not installed")
def test_a_post_goes_through_apertium_with_its_masks() -> None:
    said = translate.translate(
        ["@user the worst service, they cancelled my flight http", "", "Thanks!"], ("eng-spa",)
    )
    assert len(said) == 3
    assert said[0].startswith("@user ")
    assert said[0].endswith("http")
    assert "vuelo" in said[0]
    assert said[2] == "Gracias!"


def test_without_apertium_the_error_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(translate.MissingTool, match=r"apt-get install .*apertium-eng-spa"):
        translate.translate(["Thanks!"], ("eng-spa",))
    assert translate.translate(["Gracias!"], ()) == ["Gracias!"]


def test_every_comparison_names_both_brands_once_and_stands_once() -> None:
    found = templates.comparisons()
    assert len({pattern for pattern, _, _ in found}) == len(found) > 900
    for pattern, *_ in found:
        assert pattern.count("{a}") == pattern.count("{b}") == 1, pattern


def test_the_mark_lies_on_the_brand_that_the_label_is_about() -> None:
    truth = {}
    for pattern, a, b in templates.comparisons():
        head, tail = pattern.replace("{a}", "\0").replace("{b}", "\0").rsplit("\0", 1)
        truth[head.split("\0")[0], tail] = (a, b, pattern.index("{a}") < pattern.index("{b}"))
    checked = 0
    for text, (start, end), label in templates.make(random.Random(3), 3000):
        assert text[start:end] in templates.NAMES
        for (head, tail), (a, b, first) in truth.items():
            if len(head + tail) > 30 and text.startswith(head) and text.endswith(tail):
                marked_is_a = (start == len(head)) == first
                assert label == (a if marked_is_a else b), text
                checked += 1
    assert checked > 500


def test_hindi_was_read_anew_and_its_own_labels_are_noise(shared_data: Path) -> None:
    rows = data.read_tsv(shared_data / "sentiment" / "hindi" / "val.tsv")
    read = data.reread(rows, "val")
    came = {text: label for label, text in rows}
    agree = sum(came[text] == label for label, text in read) / len(read)
    assert len(read) > 300
    assert agree < 0.42  # chance gives a third
    with pytest.raises(ValueError, match="row 0 of hindi/val"):
        data.reread([("neutral", "another post"), *rows[1:]], "val")
