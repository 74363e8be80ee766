"""Which spellings of a name are expected, and what the labelled pairs of real posts say of them."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.channel import channel, sound
from listener.matching import BrandTerms, Matcher
from listener.misspellings import variants
from listener.translit import into

PAIRS = Path(__file__).with_name("spellings.tsv")
SENTENCES = ("I told them about {} yesterday", "anyone having trouble with {} today?", "{} again")


def pairs(half: int) -> list[tuple[str, str, bool]]:
    """(name, string, meant) of one half: constants were chosen on 0, and 1 only reported."""
    rows = [line.split("\t") for line in PAIRS.read_text("utf-8").splitlines()]
    found = [(r[0], r[1], r[2] == "1") for r in rows if len(r) == 4 and r[2] in "01"]
    return [p for p in found if zlib.crc32(f"{p[0]}|{p[1]}".encode()) % 2 == half]


def test_the_list_is_large_enough_to_say_something() -> None:
    both = pairs(0) + pairs(1)
    assert sum(meant for *_, meant in both) >= 100
    assert sum(not meant for *_, meant in both) >= 100


@pytest.mark.parametrize("half", [0, 1])
def test_real_spellings_are_found_and_look_alikes_are_not(half: int) -> None:
    matchers: dict[str, Matcher] = {}
    found = {True: [0, 0], False: [0, 0]}
    for name, string, meant in pairs(half):
        if name not in matchers:
            matchers[name] = Matcher([BrandTerms(name, (name,))])
        hits = [bool(matchers[name].match(s.format(string))) for s in SENTENCES]
        found[meant][0] += all(hits) if meant else any(hits)
        found[meant][1] += 1
    recall, false = (found[k][0] / found[k][1] for k in (True, False))
    assert recall >= 0.90, f"recall {recall:.3f}"
    assert false <= 0.08, f"false matches {false:.3f}"


def test_variants_are_ranked_weighed_and_limited() -> None:
    found = variants("Hyundai", limit=20)
    assert len(found) == 20
    assert [v.weight for v in found] == sorted((v.weight for v in found), reverse=True)
    assert all(0 < v.weight <= 1 for v in found)
    assert len({v.variant for v in found}) == 20
    assert "hyundai" not in {v.variant.lower() for v in found}
    assert {"hyundia", "hyundais"} <= {v.variant for v in found}
    assert variants("Hyundai", limit=0) == []
    assert variants("!!!") == []


@pytest.mark.parametrize(
    ("name", "variant", "kind"),
    [
        ("Spotify", "spoitfy", "swapped letters"),
        ("Spotify", "spotfy", "dropped letter"),
        ("Spotify", "spotiffy", "doubled letter"),
        ("Flipkart", "flipcart", "sounds alike"),
        ("Netflix", "netflex", "vowel"),
        ("Comcast", "concast", "neighbouring key"),
        ("Google", "g00gle", "look-alike"),
        ("JetBlue", "jet blue", "split"),
        ("US Airways", "usairways", "joined"),
        ("Coca Cola", "coca-cola", "hyphen"),
        ("McDonald's", "mcdonalds", "punctuation"),
        ("H&M", "h and m", "punctuation"),
        ("Nestlé", "nestle", "diacritics"),
        ("Tesco", "tescos", "plural"),
        ("Tesco", "tesco's", "possessive"),
        ("Microsoft", "mcrsft", "vowels left out"),
    ],
)
def test_each_way_of_erring_has_its_kind(name: str, variant: str, kind: str) -> None:
    found = {v.variant: v.kind for v in variants(name, limit=400)}
    assert found.get(variant) == kind


@pytest.mark.parametrize(
    ("name", "word"),
    [("Sprint", "spring"), ("Comcast", "coast"), ("Apple", "apply"), ("Nike", "nice"),
     ("Airways", "always"), ("Nike", "nokia"), ("Delta", "dealt"), ("Target", "forget")],
)  # fmt: skip
def test_ordinary_words_are_no_variants(name: str, word: str) -> None:
    assert word not in {v.variant for v in variants(name, limit=1000)}


def test_a_word_of_a_language_listened_to_is_no_misspelling() -> None:
    assert "gogle" in {v.variant for v in variants("Google", limit=300)}
    english = {v.variant for v in variants("Amazon", limit=500)}
    spanish = {v.variant for v in variants("Amazon", languages=("es",), limit=500)}
    assert "amazona" not in spanish
    assert english != spanish


def test_short_names_need_more_evidence() -> None:
    model = channel()
    short, long = model.score("nike", "nikr"), model.score("microsoft", "microsofr")
    assert short is not None
    assert long is not None
    assert short[0] < long[0]


def test_scripts_of_the_languages_listened_to() -> None:
    assert {"спотифи", "спотифай"} <= {v.variant for v in variants("Spotify", languages=("ru",))}
    assert "yandeks" in {v.variant for v in variants("Яндекс", languages=("ru",))}
    assert into("spotify", ("hi", "ar", "el", "he")) == ["स्पोटिफ्य", "سبوتيفي", "σποτιφι", "ספוטיפי"]
    assert into("toyota", ("ja",)) == ["トヨタ"]
    assert into("toyota", ("en", "de")) == []


def test_sounds() -> None:
    assert sound("flipkart") == sound("flipcart")
    assert sound("vodafone") == sound("vodaphone")
    assert sound("nike") != sound("nokia")


def test_every_variant_is_matched() -> None:
    for name in ("Spotify", "US Airways", "McDonald's", "T-Mobile", "Nestlé"):
        matcher = Matcher([BrandTerms(name, (name,))])
        missed = [v.variant for v in variants(name) if not matcher.match(f"so {v.variant} it is")]
        assert missed == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_any_name_gives_variants_without_a_crash(name: str) -> None:
    for v in variants(name, limit=30):
        assert v.variant
        assert 0 < v.weight <= 1
