"""Explanations: causes named from posts, and nothing said that no post shows."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

from sentiment.explain import Item, explain, terms_of

HOUR = 3600


def usual(n: int = 120) -> list[Item]:
    texts = ["nice flight to Rome", "where is my seat", "how do I change my booking", "good crew"]
    places, wires = ["DE", "FR", "US"], ["x", "mastodon"]
    return [
        Item(f"x:{i}", texts[i % 4], i * 600, places[i % 3], wires[i % 2], f"a{i}", 100, None, None)
        for i in range(n)
    ]


def crisis() -> list[Item]:
    begin = 200 * HOUR
    out = []
    for i in range(60):
        hour = begin + (i // 20) * HOUR + (i % 20) * 60
        copied = i % 3 == 0
        out.append(
            Item(
                key=f"x:c{i}",
                text="RT my flight was cancelled"
                if copied
                else f"flight cancelled again, stuck {i}",
                created_at=hour,
                region="DE" if i % 4 else "FR",
                platform="x",
                author="loud" if i == 7 else f"b{i}",
                followers=90_000 if i == 7 else 50,
                group="copy" if copied else None,
                links=("https://news.example/strike",) if i % 2 else (),
            )
        )
    late = [Item(f"x:l{i}", "still waiting, cancelled", begin + 5 * HOUR + i) for i in range(5)]
    return out + late


def test_causes_are_ranked_and_cite_posts_that_show_them() -> None:
    spike = crisis()
    found = explain(spike, usual(), calm_at=206 * HOUR)
    by_key = {item.key: item for item in spike}
    (term, *_) = found.of("term")
    assert "cancelled" in term.name
    for driver in found.of("term"):
        assert driver.keys
        for key in driver.keys:
            assert driver.name in terms_of(by_key[key].text)
    assert found.of("region")[0].name == "DE"
    assert found.of("platform")[0].name == "x"
    assert found.of("link")[0].name == "https://news.example/strike"
    assert found.of("author")[0].name == "loud"
    assert found.of("copies")[0].posts == 20
    assert found.unique == 46
    assert found.amplified_share == 1 - 46 / 65
    assert found.first == "x:c0"
    assert found.calm_at == 206 * HOUR


def test_every_sentence_cites_posts_of_the_spike() -> None:
    spike = crisis()
    keys = {item.key for item in spike}
    found = explain(spike, usual())
    assert len(found.sentences) >= 6
    for sentence in found.sentences:
        assert sentence.keys
        assert set(sentence.keys) <= keys


def test_more_of_the_same_has_no_cause() -> None:
    again = [
        Item(f"y:{i.key}", i.text, i.created_at + 500 * HOUR, i.region, i.platform) for i in usual()
    ]
    found = explain(again, usual())
    for kind in ("term", "region", "platform", "link", "copies"):
        assert found.of(kind) == ()


def test_a_copied_text_is_one_voice_for_the_terms() -> None:
    copies = [
        Item(f"z:{i}", "buy cheap shoes here", 300 * HOUR + i, group="spam") for i in range(50)
    ]
    found = explain([*copies, *crisis()], usual())
    assert "shoes" not in " ".join(d.name for d in found.of("term"))
    assert found.of("copies")[0].name == "spam"


def test_the_brands_own_name_is_no_cause() -> None:
    spike = [Item(f"s:{i}", f"Acme is broken {i}", 300 * HOUR + i) for i in range(40)]
    found = explain(spike, usual(), brand_words=["Acme"])
    assert "acme" not in [d.name for d in found.of("term")]
    assert "broken" in [d.name for d in found.of("term")]


def test_the_turning_point_waits_until_there_is_one() -> None:
    growing = [Item(f"g:{i}", "x y", 300 * HOUR + (i // 10) * HOUR) for i in range(30)]
    rising = [*growing, *(Item(f"h:{i}", "x y", 303 * HOUR) for i in range(20))]
    assert explain(rising, usual()).turning_at is None
    over = [*rising, Item("last", "x y", 306 * HOUR)]
    assert explain(over, usual()).turning_at == 304 * HOUR


def test_posts_of_one_word_are_explained_too() -> None:
    same = [Item(f"o:{i}", "seat", 300 * HOUR + i) for i in range(20)]
    before = [Item(f"p:{i}", "seat", i) for i in range(20)]
    assert explain(same, before).of("term") == ()
    assert explain(same, [])  # does not divide by nothing


def test_chinese_and_japanese_are_explained_by_pairs_of_signs() -> None:
    assert {"航班", "取消"} <= terms_of("航班取消了")
    assert {"フライト", "欠航"} <= terms_of("私のフライトが欠航になりました")
    assert terms_of("フライトが欠航") >= {"フライト", "欠航"}
    assert not any("が" in term for term in terms_of("フライトが欠航"))
    assert "flight delayed" in terms_of("flight delayed")  # others are as before
    texts = ["フライトが欠航になった", "欠航で帰れない", "また欠航です"]
    spike = [Item(f"j:{i}", texts[i % 3], 300 * HOUR + i) for i in range(30)]
    assert explain(spike, usual()).of("term")[0].name == "欠航"


def test_the_busiest_hour_comes_from_the_counts_where_posts_are_a_part() -> None:
    part = [Item(f"q:{i}", "x y", 300 * HOUR + (i % 3) * HOUR) for i in range(30)]
    counted = {300 * HOUR: 10, 301 * HOUR: 900, 302 * HOUR: 11}
    found = explain(part, usual(), hours=counted)
    assert (found.peak_at, found.turning_at) == (301 * HOUR, 302 * HOUR)


def test_an_hour_that_is_not_over_is_no_fall() -> None:
    part = [Item(f"q:{i}", "x y", 300 * HOUR + (i % 3) * HOUR) for i in range(30)]
    counted = {300 * HOUR: 20, 301 * HOUR: 60, 302 * HOUR: 5}
    growing = explain(part, usual(), hours=counted, complete_until=302 * HOUR + 300)
    assert (growing.peak_at, growing.turning_at) == (301 * HOUR, None)
    fallen = explain(part, usual(), hours=counted, complete_until=303 * HOUR)
    assert fallen.turning_at == 302 * HOUR


def test_what_people_want_is_a_cause() -> None:
    spike = [Item(f"s:{i}", "x y", 300 * HOUR + i, intent="question") for i in range(30)]
    before = [Item(f"b:{i}", "x y", i, intent="complaint") for i in range(30)]
    assert explain(spike, before).of("intent")[0].name == "question"


def test_a_new_word_is_told_where_few_posts_came_before() -> None:
    words = "my flight was cancelled and nobody answers"
    spike = [Item(f"s:{i}", words, 300 * HOUR + i) for i in range(100)]
    spike += [Item(f"t:{i}", "baggage belt broken", 301 * HOUR + i) for i in range(60)]
    before = [Item(f"b:{i}", words, i) for i in range(25)]
    assert explain(spike, before).of("term")[0].name in ("baggage belt", "belt broken")


def test_nothing_in_nothing_out() -> None:
    found = explain([], [])
    assert found.sentences == ()
    assert found.drivers == ()
    assert found.amplified_share is None


def test_the_airlines_surge_is_put_down_to_cancelled_flights(shared_data: Path) -> None:
    """US Airways, 22 February 2015: the posts of the surge against those of the days before."""
    items = []
    with (shared_data / "airline" / "tweets.csv").open(newline="", encoding="utf-8") as handle:
        for i, row in enumerate(csv.DictReader(handle)):
            if row["airline"] == "US Airways" and row["airline_sentiment"] == "negative":
                at = int(datetime.fromisoformat(row["tweet_created"]).timestamp())
                theme = row["negativereason"] or None
                items.append(Item(f"row:{i}", row["text"], at, theme=theme))
    begin = int(datetime.fromisoformat("2015-02-22T05:00+00:00").timestamp())
    spike = [item for item in items if begin <= item.created_at < begin + 20 * HOUR]
    before = [item for item in items if item.created_at < begin]
    found = explain(spike, before, brand_words=["USAirways"])
    said = " ".join(d.name for d in found.of("term"))
    assert any(word in said for word in ("cancelled", "hold", "flightled"))
    assert found.of("theme")[0].name in ("Cancelled Flight", "Customer Service Issue")


def test_what_every_post_had_before_is_no_cause() -> None:
    """A spike of one country was put down to that country: 100 % of posts, 100 % before."""
    spike = [Item(f"s:{i}", "x y", 300 * HOUR + i, "BR") for i in range(700)]
    assert explain(spike, [Item(f"b:{i}", "x y", i, "BR") for i in range(4)]).of("region") == ()
    mixed = [Item(f"b:{i}", "x y", i, "BR" if i % 2 else "DE") for i in range(40)]
    assert [d.name for d in explain(spike, mixed).of("region")] == ["BR"]


def test_a_theme_is_told_with_the_posts_it_is_of() -> None:
    """Of 100 posts five have a theme: it is not the theme of "100 % of posts"."""
    spike = [Item(f"s:{i}", "x y", 300 * HOUR + i, theme="refund" if i < 5 else None)
             for i in range(100)]  # fmt: skip
    before = [Item(f"b:{i}", "x y", i, theme="seats" if i < 9 else None) for i in range(100)]
    told = [s.text for s in explain(spike, before).sentences if "theme" in s.text]
    assert told == [
        "The theme that grew most is refund, of 5 posts: 100 % of those with a theme, 0 % before."
    ]


def test_what_began_with_the_spike_is_told_where_few_earlier_posts_prove_nothing() -> None:
    """Eight new themes of a region whose month had twenty complaints: none is beyond chance there."""
    spike = [Item(f"s:{i}", "x y", 300 * HOUR + i, theme=f"outage {i % 8}") for i in range(80)]
    spike += [Item(f"t:{i}", "x y", 301 * HOUR + i, theme="refund") for i in range(20)]
    before = [Item(f"b:{i}", "x y", i, theme="refund" if i < 4 else "seats") for i in range(20)]
    assert explain(spike, before).of("theme") == ()
    new = {f"outage {i}" for i in range(8)}
    told = explain(spike, before, new_themes=new).of("theme")
    assert {d.name for d in told} < new
    assert all((d.posts, d.now, d.before) == (10, 0.1, 0.0) for d in told)
    assert explain(spike, [], new_themes=new).of("theme") == (), "without a past all is new"
    few = [Item(f"f:{i}", "x y", 302 * HOUR + i, theme="a courier") for i in range(4)]
    named = explain(spike + few, before, most=9, new_themes={*new, "a courier"}).of("theme")
    assert "a courier" not in {d.name for d in named}, "four of a hundred"
