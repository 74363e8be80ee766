"""Files of every shape come in whole: right values, right keys, bad rows set aside, never a crash."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listener.cli.operate import _import_file
from listener.collectors import Context, Page, Reject
from listener.collectors.dialect import dialect_of
from listener.collectors.files import Files, FilesOptions, inspect
from listener.config import parse_config
from listener.errors import InputError
from listener.mention import Post, Query
from listener.pipeline import Pipeline
from listener.store import Store

ANY = Query("all", (), ())
HEADS = ("id", "created_at", "text", "username")


def write(path: Path, rows: Sequence[Sequence[str]], heads: Sequence[str] = HEADS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([heads, *rows])
    return path


def row(number: int, text: str = "hello there") -> list[str]:
    at = datetime.fromtimestamp(1_700_000_000 + number, UTC)
    return [f"9000000000000{number:06d}1", f"{at:%Y-%m-%dT%H:%M:%SZ}", text, f"user{number}"]


def pages(path: Path, cursor: dict[str, Any] | None = None, **options: Any) -> list[Page]:
    """As ``groundswell import`` reads the file."""
    made = FilesOptions(path=str(path), **options)
    return list(Files(Context("import:test", made)).fetch(ANY, cursor))


def look(path: Path, cursor: dict[str, Any] | None) -> Page:
    """One look at a file that is followed."""
    (page,) = Files(Context("files", FilesOptions(path=str(path)))).fetch(ANY, cursor)
    return page


def read(path: Path, **options: Any) -> tuple[list[Post], list[Reject]]:
    found = pages(path, **options)
    return [p for page in found for p in page.posts], [r for page in found for r in page.rejected]


def lines(path: Path, *objects: Any) -> Path:
    path.write_text("".join(json.dumps(o) + "\n" for o in objects), encoding="utf-8")
    return path


# --- what a row becomes


def test_a_row_becomes_a_post_with_everything_it_says(tmp_path: Path) -> None:
    heads = [
        "tweet_id", "created_at", "text", "author_id", "username", "Full Name", "Followers",
        "user_location", "user_timezone", "url", "conversation_id", "in_reply_to_status_id",
        "lang", "country_code", "coordinates", "like_count", "reply_count", "retweet_count",
        "impressions", "inbound", "colour",
    ]  # fmt: skip
    cells = [
        "123456789012345678", "2024-05-01T10:00:00Z", "Tom &amp; I ❤ it", "42", "@tom", "Tom T",
        "1,204", "Boston", "Eastern Time (US & Canada)", "https://x.com/tom/status/1", "777",
        "888.0", "en", "us", "[42.36, -71.06]", "3", "", "1.2K", "99", "True", "red",
    ]  # fmt: skip
    [post], rejected = read(write(tmp_path / "a.csv", [cells], heads))
    assert not rejected
    assert post.key == "x:123456789012345678"
    assert post.text == "Tom & I ❤ it"
    assert post.created_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert post.author.id == "42"
    assert post.author.handle == "tom"
    assert post.author.name == "Tom T"
    assert post.author.followers == 1204
    assert post.author.location == "Boston"
    assert post.author.time_zone == "Eastern Time (US & Canada)"
    assert post.url == "https://x.com/tom/status/1"
    assert (post.conversation_id, post.reply_to) == ("777", "888")
    assert (post.language_tag, post.country) == ("en", "US")
    assert post.coordinates == (42.36, -71.06)
    assert (post.likes, post.replies, post.reposts, post.views) == (3, None, 1200, 99)
    assert post.incoming is True
    assert post.raw["colour"] == "red", "what is not mapped is kept"
    assert post.raw["text"] == "Tom &amp; I ❤ it", "the payload is kept as received"


def test_a_country_by_name_is_a_place_not_a_tag(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [[*row(1), "Germany", "Köln"]], [*HEADS, "Country", "City"])
    [post], _ = read(file)
    assert post.country is None
    assert post.place_name == "Köln, Germany"


def test_ids_of_customers_are_numbers_and_of_brands_handles(tmp_path: Path) -> None:
    heads = ["tweet_id", "author_id", "inbound", "created_at", "text", "in_response_to_tweet_id"]
    at = "Tue Oct 31 22:10:47 +0000 2017"
    file = write(
        tmp_path / "a.csv",
        [["1", "acme", "False", at, "@115 sorry", "2.0"], ["2", "115", "True", at, "@acme hm", ""]],
        heads,
    )
    plan = inspect(file)
    (reply, question), _ = read(file)
    assert (reply.author.handle, reply.author.id, reply.incoming) == ("acme", "acme", False)
    assert (question.author.handle, question.author.id, question.incoming) == (None, "115", True)
    assert reply.reply_to == question.native_id, "threads join"
    assert plan.namespace, "small numbers would collide with the next export's"
    assert question.native_id == plan.namespace + "2"
    assert any("short numbers" in note for note in plan.notes)


def test_two_files_that_count_from_one_do_not_collide(tmp_path: Path) -> None:
    rows = [["1", "2024-05-01", "first file", "a"]], [["1", "2024-05-01", "second file", "b"]]
    (one,), _ = read(write(tmp_path / "a.csv", rows[0]))
    (two,), _ = read(write(tmp_path / "b.csv", rows[1]))
    (again,), _ = read(write(tmp_path / "copied elsewhere.csv", rows[0]))
    assert one.key != two.key
    assert one.key == again.key


NUMBERED = [
    {"id": n, "created_at": f"2026-03-01T10:0{n}:00Z", "text": f"Acme {n}", "likes": 0}
    for n in range(1, 5)
]


def test_rows_keep_their_keys_when_a_file_gets_new_columns_or_other_counts(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", *NUMBERED)
    first = look(file, None)
    keys = [p.key for p in first.posts]
    answer = {**NUMBERED[0], "id": 5, "in_reply_to_id": 4}
    second = look(lines(file, {**NUMBERED[0], "likes": 3}, *NUMBERED[1:], answer), first.cursor)
    assert [p.key for p in second.posts][:4] == keys
    assert second.posts[-1].reply_to == first.posts[-1].native_id
    assert {p.key for p in read(file)[0]} == {p.key for p in second.posts}
    other = look(lines(file, {**NUMBERED[0], "text": "another file"}), second.cursor)
    assert other.posts[0].key not in keys


def test_a_store_from_before_keeps_its_keys(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", *NUMBERED)
    plan = inspect(file)
    before = {"row": 2, "fingerprint": plan.fingerprint}
    old = plan.fingerprint[:6] + "-"
    grown = look(file, before)
    # from the top, as more rows are taken now than when that cursor was written
    assert [p.native_id for p in grown.posts] == [f"{old}{n}" for n in range(1, 5)]
    lines(file, *NUMBERED, {**NUMBERED[0], "id": 5, "in_reply_to_id": 4})
    assert [p.native_id for p in look(file, grown.cursor).posts] == [
        f"{old}{n}" for n in range(1, 6)
    ]


def test_an_import_of_a_file_that_an_older_version_imported_stores_nothing(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", *NUMBERED)
    plan = inspect(file)
    one = Files(Context("import:older name.jsonl", FilesOptions(path=str(file))))
    one.plan = replace(plan, namespace=plan.fingerprint[:6] + "-")
    (page,) = one.fetch(ANY, None)
    page = replace(page, cursor={"row": 4, "fingerprint": plan.fingerprint})
    with Store(tmp_path / "t.db") as store:
        line = Pipeline(store, parse_config("brands: [{name: Acme, misspellings: []}]"))
        name = one.context.source
        line.keep(page, source=name, platform=plan.platform, query=plan.fingerprint)
        for _ in range(2):
            told, _ = _import_file(line, FilesOptions(path=str(file)), None, show=False)
            assert (told["read"], told["stored"]) == (4, 0)


def test_threads_whose_replies_lead_nowhere_stay_unknown(tmp_path: Path) -> None:
    heads = (*HEADS, "in_reply_to_id")
    rows = [[*row(1), ""], [*row(2), row(1)[0]]]
    assert all(p.threads_read for p in pages(write(tmp_path / "a.csv", rows, heads)))
    assert not any(p.threads_read for p in pages(tmp_path / "a.csv", key="content"))
    status = {"created_at": "2026-03-01T09:00:00Z", "content": "<p>Acme broke</p>"}
    site = "https://a.example/users/kim/statuses/"
    file = lines(
        tmp_path / "a.jsonl",
        {**status, "id": "1", "uri": site + "1", "in_reply_to_id": None},
        {**status, "id": "2", "uri": site + "2", "in_reply_to_id": "1"},
    )
    assert not any(p.threads_read for p in pages(file))


def test_mastodon_markup_and_accounts(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "a.jsonl",
        {
            "id": "110000000000000001",
            "created_at": "2024-05-01T10:00:00.000Z",
            "content": '<p>Hi <a href="https://x.y">@acme</a><br/>all &lt;well&gt;</p><p>Bye</p>',
            "account": {"id": "9", "acct": "ann@town.example", "followers_count": 12},
            "url": "https://mastodon.social/@ann/1",
            "in_reply_to_id": None,
            "favourites_count": 2,
            "language": "en",
        },
    )
    [post], _ = read(file, platform="mastodon")
    assert post.text == "Hi @acme\nall <well>\nBye"
    assert post.author.handle == "ann@town.example"
    assert (post.author.followers, post.likes) == (12, 2)
    assert post.reply_to is None


def test_an_answer_of_the_x_api_gives_its_posts_with_authors_and_places(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "a.jsonl",
        {
            "data": [
                {
                    "id": "1785600000000000001",
                    "author_id": "9",
                    "created_at": "2024-05-01T10:00:00.000Z",
                    "text": "@acme no",
                    "conversation_id": "1785600000000000000",
                    "referenced_tweets": [
                        {"type": "quoted", "id": "5"},
                        {"type": "replied_to", "id": "1785600000000000000"},
                    ],
                    "geo": {"place_id": "p1"},
                    "public_metrics": {"like_count": 3, "retweet_count": 1},
                    "lang": "en",
                }
            ],
            "includes": {
                "users": [{"id": "9", "username": "ann", "name": "Ann", "location": "Leeds"}],
                "places": [{"id": "p1", "full_name": "Leeds, England", "country_code": "GB"}],
            },
            "meta": {"result_count": 1},
        },
    )
    [post], rejected = read(file, platform="x")
    assert not rejected
    assert (post.author.handle, post.author.location) == ("ann", "Leeds")
    assert post.reply_to == "1785600000000000000"
    assert post.conversation_id == "1785600000000000000"
    assert (post.country, post.place_name) == ("GB", "Leeds, England")
    assert (post.likes, post.reposts) == (3, 1)


def test_nested_keys_by_dotted_path(tmp_path: Path) -> None:
    deep = {"meta": {"when": "2024-05-01", "who": {"nick": "zoe"}}, "words": {"plain": "one two"}}
    file = lines(tmp_path / "a.jsonl", deep)
    asked = {"text": "words.plain", "created": "meta.when", "author_handle": "meta.who.nick"}
    [post], _ = read(file, map=asked)
    assert (post.text, post.author.handle) == ("one two", "zoe")
    assert post.raw == deep


def test_half_surrogates_and_nul_bytes_do_not_reach_the_store(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(
        '{"id": "abcdefghijkl", "text": "a\\ud83d b\\u0000c", "created_at": "2024-05-01"}\n'
    )
    [post], _ = read(file)
    post.text.encode("utf-8")
    json.dumps(post.raw).encode("utf-8")
    assert post.text == "a\ufffd bc"


# --- how files are written


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters(tmp_path: Path, encoding: str, delimiter: str) -> None:
    out = io.StringIO()
    rows = [row(i, f'Grüße, "ok"; größer {i} | 日本 \t ende') for i in range(30)]
    csv.writer(out, delimiter=delimiter).writerows([HEADS, *rows])
    file = tmp_path / "a.csv"
    file.write_bytes(out.getvalue().encode(encoding))
    posts, rejected = read(file)
    assert not rejected
    assert [p.text for p in posts] == [r[2] for r in rows]


def test_cp1252_is_read_and_said(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(1, "Grüße – schön")])
    file.write_bytes(file.read_text("utf-8").encode("cp1252"))
    [post], _ = read(file)
    assert post.text == "Grüße – schön"
    assert any("cp1252" in note for note in inspect(file).notes)


def test_a_few_latin_bytes_in_a_utf8_file_are_repaired(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(1, "schöne Grüße 日本"), row(2, "caf#")])
    file.write_bytes(file.read_bytes().replace(b"caf#", b"caf\xe9"))
    posts, _ = read(file)
    assert [p.text for p in posts] == ["schöne Grüße 日本", "café"]


def test_gzip_is_told_by_its_bytes(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.csv", [row(i) for i in range(50)])
    packed = tmp_path / "b.csv"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert [p.key for p in read(packed)[0]] == [p.key for p in read(plain)[0]]


def test_a_gzip_file_that_breaks_off_gives_what_stands_before(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.csv", [row(i, f"text {i * 7919 % 10_007}") for i in range(20_000)])
    packed = gzip.compress(plain.read_bytes())
    broken = tmp_path / "b.csv.gz"
    broken.write_bytes(packed[: len(packed) * 3 // 4])
    posts, rejected = read(broken)
    assert 10_000 < len(posts) < 20_000
    assert "damaged from here" in rejected[-1].reason


def test_lines_above_the_heads_and_a_sep_line(tmp_path: Path) -> None:
    body = write(tmp_path / "a.csv", [row(i) for i in range(5)]).read_text()
    report = tmp_path / "b.csv"
    report.write_text("Report:,Acme\nFrom:,2024-05-01\n\n" + body)
    posts, _ = read(report)
    assert len(posts) == 5
    assert any("3 line(s) above" in note for note in inspect(report).notes)
    sep = tmp_path / "c.csv"
    sep.write_text("sep=;\n" + body.replace(",", ";"))
    assert len(read(sep)[0]) == 5


@pytest.mark.parametrize(
    ("heads", "rows"),
    [
        ("Datum;Inhalt;Verfasser;Typ", "2026-03-01 1{}:00;Acme ist schon wieder kaputt;anna;Post"),
        ("Fecha;Mensaje;Usuario;Formato", "1.º de marzo, 1{}:00;Acme otra vez roto;ana;tweet"),
        ("日付;本文;種別", "2026-03-01 1{}:00;Acmeのやかん が壊れた;post"),
        (";Texte;Genre", "le premier mars;Acme est encore en panne {};post"),
    ],
)
def test_a_cell_that_reads_like_a_head_makes_no_heads(
    tmp_path: Path, heads: str, rows: str
) -> None:
    file = tmp_path / "a.csv"
    lines_ = [rows.format(n) for n in range(3)]
    for above in ("", "Report of Acme;;;;\n\n"):
        file.write_text(above + "\n".join([heads, *lines_]) + "\n", encoding="utf-8")
        assert dialect_of(file).heads == tuple(heads.split(";"))


def test_times_in_named_zones_are_the_posts_times_and_no_other_column_is(tmp_path: Path) -> None:
    heads = ("Page Created", "Post Created", "Message")
    known = [["2012-05-01 13:01:00", f"2024-01-0{n} 21:00:12 EST", "Acme broke"] for n in (1, 2)]
    file = write(tmp_path / "a.csv", known, heads)
    assert inspect(file).mapping["created"] == "Post Created"
    assert not any("time zone" in note for note in inspect(file).notes)
    posts, rejects = read(file)
    assert posts[0].created_at == datetime(2024, 1, 2, 2, 0, 12, tzinfo=UTC)
    assert not rejects
    unknown = [[row[0], row[1].replace("EST", "IST"), row[2]] for row in known]
    with pytest.raises(InputError, match=r"'Post Created' .*IST.*its time zone is not known"):
        inspect(write(file, unknown, heads))
    nothing = [[row[0], row[2]] for row in known]
    with pytest.raises(InputError, match="no column seems to hold when it was written"):
        inspect(write(file, nothing, ("Account Created", "Message")))


def test_a_carriage_return_inside_an_unquoted_cell_ends_no_row(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        b"id,created_at,text\nabcdefghijkl,2024-05-01,one\r\rtwo\nabcdefghijkm,2024-05-01,x\n"
    )
    posts, rejected = read(file)
    assert [p.text for p in posts] == ["one  two", "x"]
    assert not rejected


def test_old_files_whose_rows_end_in_a_carriage_return(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        b"id,created_at,text\rabcdefghijkl,2024-05-01,one\rabcdefghijkm,2024-05-01,x\r"
    )
    assert [p.text for p in read(file)[0]] == ["one", "x"]


# --- ids


def test_ids_that_repeat_with_other_content_are_not_trusted(tmp_path: Path) -> None:
    rows = [row(1), row(2), [row(1)[0], *row(3, "another text")[1:]]]
    file = write(tmp_path / "a.csv", rows)
    plan = inspect(file)
    posts, _ = read(file)
    assert plan.key == "content"
    assert any("1 ids in 'id' repeat with other content" in note for note in plan.notes)
    assert len({p.key for p in posts}) == 3
    assert all(len(p.native_id) == 21 and p.native_id[0] == "c" for p in posts)
    assert len({p.key for p in read(file, key="id")[0]}) == 2, "--key id is obeyed"


def test_a_row_that_repeats_is_one_post_read_twice(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(1), row(2), row(1)])
    posts, _ = read(file)
    assert inspect(file).key == "id"
    assert len(posts) == 3
    assert len({p.key for p in posts}) == 2


@pytest.mark.parametrize(
    "ids",
    [["5.70306E+17", "5.70307E+17"], ["570306133677760000", "570306133677761000"], ["", ""]],
)
def test_rounded_and_absent_ids_are_replaced_by_content(tmp_path: Path, ids: list[str]) -> None:
    file = write(tmp_path / "a.csv", [[id_, *row(i)[1:]] for i, id_ in enumerate(ids)])
    posts, _ = read(file)
    assert len({p.key for p in posts}) == 2
    assert all(p.native_id.startswith("c") for p in posts)


def test_without_trust_in_ids_replies_point_nowhere(tmp_path: Path) -> None:
    rows = [[*row(1), row(2)[0]], [*row(2), ""], [row(1)[0], *row(9, "other")[1:], ""]]
    file = write(tmp_path / "a.csv", rows, [*HEADS, "in_reply_to_id"])
    posts, _ = read(file)
    assert all(p.reply_to is None for p in posts)
    assert any("cannot be joined" in note for note in inspect(file).notes)


def test_the_platform_is_found_by_column_links_ids_or_said(tmp_path: Path) -> None:
    heads = [*HEADS, "Network"]
    by_column = write(tmp_path / "a.csv", [[*row(1), "Twitter"], [*row(2), "Reddit"]], heads)
    assert [p.platform for p in read(by_column)[0]] == ["x", "reddit"]
    links = [[*row(i), f"https://www.reddit.com/r/a/{i}"] for i in range(3)]
    by_link = write(tmp_path / "b.csv", links, [*HEADS, "url"])
    assert inspect(by_link).platform == "reddit"
    nothing = write(tmp_path / "c.csv", [row(1)])
    assert inspect(nothing).platform == "file"
    assert inspect(nothing, FilesOptions(platform="Our Forum")).platform == "our-forum"
    odd = [[*row(1), "http://[not a host"], [*row(2), "http://"]]
    assert inspect(write(tmp_path / "e.csv", odd, [*HEADS, "url"])).platform == "file"
    at = 1_700_000_000
    snow = (at * 1000 - 1_288_834_974_657) << 22
    by_id = write(tmp_path / "d.csv", [[str(snow), str(at), "one two", "a"]])
    assert inspect(by_id).platform == "x"


# --- what goes wrong


def test_bad_rows_are_set_aside_with_number_and_reason(tmp_path: Path) -> None:
    rows = [
        row(1),
        [row(2)[0], "soon", "a text", "b"],
        [*row(3)[:2], "   ", "c"],
        [*row(4), "extra"],
        row(5)[:3],
        row(6)[:1],
        row(7, "x" * 100_001),
        row(8),
    ]
    posts, rejected = read(write(tmp_path / "a.csv", rows))
    assert [p.native_id for p in posts] == [row(i)[0] for i in (1, 5, 8)]
    assert [r.where for r in rejected] == ["row 2", "row 3", "row 4", "row 6", "row 7"]
    assert "'soon'" in rejected[0].reason
    assert "text is empty" in rejected[1].reason
    assert "5 cells where the heads have 4" in rejected[2].reason
    assert "time is empty" in rejected[3].reason
    assert "100,001 characters" in rejected[4].reason
    assert json.loads(rejected[0].payload)[2] == "a text", "what was refused is kept"


def test_a_quote_that_never_closes_swallows_nothing(tmp_path: Path) -> None:
    rows = [",".join(row(i)) for i in range(3_000)]
    rows[10] = f'{row(10)[0]},2024-05-01,"opens and never closes,u'
    rows[20] = f'{row(20)[0]},2024-05-01,"opens, never closes and holds a comma,u'
    rows[2_999] = f'{row(2_999)[0]},2024-05-01,"at the very end,u'
    file = tmp_path / "a.csv"
    file.write_text("\n".join([",".join(HEADS), *rows]) + "\n")
    posts, rejected = read(file)
    assert len(posts) == 2_999
    assert posts[10].text == '"opens and never closes'
    assert posts[-1].text == '"at the very end'
    assert [r.where for r in rejected] == ["row 21"], "which cell ends where cannot be known"
    assert "not closed" in rejected[0].reason
    assert "holds a comma" in rejected[0].payload


def test_a_quote_open_over_thousands_of_lines_is_given_up(tmp_path: Path) -> None:
    rows = [",".join(row(i)) for i in range(12_000)]
    rows[1] = f'{row(1)[0]},2024-05-01,"opens, and more,u'
    file = tmp_path / "a.csv"
    file.write_text("\n".join([",".join(HEADS), *rows]) + "\n")
    posts, rejected = read(file)
    assert (len(posts), len(rejected)) == (11_999, 1)


def test_in_tab_separated_files_quotes_are_often_only_characters(tmp_path: Path) -> None:
    texts = ['"so" he said', 'half a quote " here', '"opens', "plain", '"opens again', "end"]
    body = ["\t".join(row(i, text)) for i, text in enumerate(texts)]
    file = tmp_path / "a.tsv"
    file.write_text("\n".join(["\t".join(HEADS), *body]) + "\n")
    posts, rejected = read(file)
    assert not rejected
    assert [p.text for p in posts] == ["so he said", *texts[1:]], "a closed quote is CSV's own"


def test_line_breaks_inside_quotes_are_text(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(1, 'two\nlines, "quoted"\n\nend'), row(2)])
    posts, rejected = read(file)
    assert posts[0].text == 'two\nlines, "quoted"\n\nend'
    assert not rejected


def test_a_cell_of_ten_megabytes_is_no_crash(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(1), row(2, "ab " * 3_500_000), row(3)])
    posts, rejected = read(file)
    assert [p.native_id for p in posts] == [row(1)[0], row(3)[0]]
    assert "characters" in rejected[0].reason
    assert len(rejected[0].payload) <= 100_000


def test_bad_json_lines_are_set_aside(tmp_path: Path) -> None:
    good = {"id": "abcdefghijkl", "text": "one two", "created_at": "2024-05-01"}
    file = lines(tmp_path / "a.jsonl", good)
    deep = "[" * 100_000
    with file.open("a") as handle:
        handle.write('{"text": "cut of\n\n[1, 2]\n3\n' + deep + "\n" + json.dumps(good) + "\n")
    posts, rejected = read(file)
    assert len(posts) == 2
    assert [r.where for r in rejected] == ["row 2", "row 3", "row 4", "row 5"]
    assert all("JSON" in r.reason for r in rejected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty|no row"),
        (b"id,created_at,text\n", r"no row below"),
        (
            b"id,colour\n1,red\n2,blue\n",
            r"no column seems to hold the text .*id, colour.*--map text=",
        ),
        (b'[{"text": "a"}]', "jq -c"),
    ],
)
def test_files_that_cannot_be_read_say_what_to_do(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        inspect(file)


def test_no_time_column_names_the_columns_and_the_way_out(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [["one two three", "red"]], ["text", "colour"])
    with pytest.raises(
        InputError, match=r"when it was written.*text, colour.*--map created=COLUMN"
    ):
        inspect(file)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        inspect(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        inspect(tmp_path / "absent.csv")


def test_map_corrects_and_names_what_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [[*row(1), "the real words"]], [*HEADS, "note"])
    assert read(file, map={"text": "note"})[0][0].text == "the real words"
    with pytest.raises(
        InputError, match=r"no column 'Mesage'.*id, created_at, text, username, note"
    ):
        inspect(file, FilesOptions(map={"text": "Mesage"}))
    with pytest.raises(
        ValueError, match=r"names 'txt' \(did you mean text\?\); the fields are id,"
    ):
        FilesOptions(map={"txt": "note"})


def test_a_column_without_times_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(1)])
    with pytest.raises(InputError, match=r"'username' holds no times.*'user1'.*--map created="):
        inspect(file, FilesOptions(map={"created": "username"}))


def test_two_columns_can_be_read_as_one(tmp_path: Path) -> None:
    heads = ["id", "Day", "Time", "Title", "Body", "A+B"]
    cells = ["abcdefghijkl", "13/05/2024", "09:14", "The title", "the body", "x"]
    asked = {"created": "Day+Time", "text": "Title+Body", "location": "A+B"}
    expected = ("The title\nthe body", datetime(2024, 5, 13, 9, 14, tzinfo=UTC), "x")
    table = write(tmp_path / "a.csv", [cells], heads)
    objects = lines(tmp_path / "a.jsonl", dict(zip(heads, cells, strict=True)))
    for file in (table, objects):
        [post], _ = read(file, map=asked | {"author_name": "id"})
        assert (post.text, post.created_at, post.author.location) == expected


@pytest.mark.parametrize(
    "heads", [("Title", "Body"), ("headline", "content"), ("title", "selftext")]
)
def test_a_title_stands_in_for_a_body_that_is_empty(tmp_path: Path, heads: tuple[str, str]) -> None:
    said = [
        ("Acme &amp; Co down", ""),
        ("Acme rises", " "),
        ("", "alone"),
        ("", " "),
        ("Up", "again"),
    ]
    both = "Up\nagain" if heads[1] == "selftext" else "again"
    names = ["id", "created", *heads]
    rows = [[f"row-{n}", f"2024-05-0{n + 1}", *cells] for n, cells in enumerate(said)]
    table = write(tmp_path / "a.csv", rows, names)
    objects = lines(tmp_path / "a.jsonl", *(dict(zip(names, r, strict=True)) for r in rows))
    for file in (table, objects):
        posts, rejected = read(file)
        texts = [p.text.rstrip() for p in posts]
        assert texts == ["Acme & Co down", "Acme rises", "alone", both]
        assert [(r.where, r.reason) for r in rejected] == [("row 4", "the text is empty")]
    mapped = write(tmp_path / "b.csv", rows, ["id", "created", "What", "Body"])
    assert read(mapped, map={"title": "What"})[0][0].text == "Acme & Co down", "as it is asked"


def test_two_headlines_under_one_id_are_two_posts(tmp_path: Path) -> None:
    heads = ["id", "created", "title", "body"]
    rows = [["row-1", "2024-05-01", f"Acme is {what}", ""] for what in ("down", "up", "up")]
    rows.append(["row-2", "2024-05-02", "Acme", "has a body"])
    file = write(tmp_path / "a.csv", rows, heads)
    assert inspect(file).key == "content", "the id does not name a post"
    posts, _ = read(file)
    assert [p.text for p in posts] == ["Acme is down", "Acme is up", "Acme is up", "has a body"]
    assert len({p.key for p in posts}) == 3


def test_a_title_leaves_a_known_file_known(tmp_path: Path) -> None:
    """What a store keeps of a file is found again by its fingerprint."""
    heads = ["id", "created", "title", "body"]
    one = inspect(write(tmp_path / "a.csv", [["1", "2024-05-01", "Acme", "is down"]], heads))
    two = inspect(write(tmp_path / "a.csv", [["1", "2024-05-01", "Acme!", "is down"]], heads))
    assert (one.fingerprint, one.start) == (two.fingerprint, two.start)


def test_a_row_by_its_fields_may_be_a_title_alone() -> None:
    row = {"created": "2024-05-01", "title": "Acme is down"}
    assert Files.to_post(row).text == "Acme is down"
    with pytest.raises(ValueError, match="'text' is missing or empty"):
        Files.to_post({"created": "2024-05-01", "title": " "})


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="IANA"):
        FilesOptions(timezone="Mars/Olympus")


def test_naive_times_follow_timezone_and_it_is_said(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [["abcdefghijkl", "2024-07-01 10:00:00", "one two", "a"]])
    assert any("read as UTC" in note for note in inspect(file).notes)
    [post], _ = read(file, timezone="Europe/Berlin")
    assert post.created_at == datetime(2024, 7, 1, 8, tzinfo=UTC)


def test_day_first_is_found_by_a_row_far_down(tmp_path: Path) -> None:
    rows = [[f"id{i:09d}", "03/04/2024", "one two", "a"] for i in range(3_000)]
    rows.append(["id-last-one", "25/04/2024", "one two", "a"])
    posts, _ = read(write(tmp_path / "a.csv", rows))
    assert posts[0].created_at == datetime(2024, 4, 3, tzinfo=UTC)


# --- pages and cursors


def test_pages_resume_where_the_cursor_stands(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(i) for i in range(25)])
    whole = pages(file, batch=10)
    assert [len(p.posts) for p in whole] == [10, 10, 5]
    assert [p.complete for p in whole] == [False, False, True]
    rest = pages(file, cursor=whole[0].cursor, batch=10)
    assert [p.key for page in rest for p in page.posts] == [
        p.key for page in whole[1:] for p in page.posts
    ]
    assert not pages(file, cursor=whole[-1].cursor)[0].posts, "nothing new, nothing yielded"


def test_a_file_that_grew_goes_on_and_another_file_starts_anew(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(i) for i in range(5)])
    cursor = pages(file)[-1].cursor
    write(file, [row(i) for i in range(8)])
    assert [p.native_id for p in pages(file, cursor=cursor)[0].posts] == [
        row(i)[0] for i in (5, 6, 7)
    ]
    write(file, [row(i) for i in range(100, 103)])
    assert len(pages(file, cursor=cursor)[0].posts) == 3


GROWING = {
    "a.csv": (
        "id,created_at,text\n9001001,2026-03-01T10:00:00Z,Acme is fine\n"
        '9001002,2026-03-01T10:01:00Z,"Acme is terrible,\nand never\nagain"\n'
        "9001003,2026-03-01T10:02:00Z,Acme third\r\n"
    ),
    "a.jsonl": "".join(
        json.dumps(
            {"id": 9001001 + n, "created_at": f"2026-03-01T10:0{n}:00Z", "text": f"Acme {n}"}
        )
        + "\n"
        for n in range(3)
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_a_last_row_that_is_half_written_waits_for_the_rest(tmp_path: Path, name: str) -> None:
    file, text = tmp_path / name, GROWING[name]
    file.write_bytes(text.encode())
    whole = [p.text for p in look(file, None).posts]
    assert len(whole) == 3
    begins = text.index("9001002")
    for cut in range(begins + 1, len(text) + 1):
        file.write_bytes(text[:cut].encode())
        first = look(file, None)
        file.write_bytes(text.encode())
        second = look(file, first.cursor)
        assert [p.text for p in (*first.posts, *second.posts)] == whole, text[:cut]
        assert not first.rejected
        assert not second.rejected


@pytest.mark.parametrize("name", GROWING)
def test_a_last_row_without_a_line_break_is_taken_when_the_file_stands_still(
    tmp_path: Path, name: str
) -> None:
    file, text = tmp_path / name, GROWING[name]
    file.write_text(text[: text.rindex("Acme") + 4])
    first = look(file, None)
    second = look(file, first.cursor)
    third = look(file, second.cursor)
    assert (len(first.posts), len(first.rejected)) == (2, 0)
    assert len(second.posts) + len(second.rejected) == 1
    assert not third.posts
    assert not third.rejected
    assert len(read(file)[0]) + len(read(file)[1]) == 3  # an import takes it at once


def test_a_quote_that_never_closes_keeps_a_growing_file_from_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(i) for i in range(9)])
    broken = file.read_text().replace("hello there", '"hello there', 1)
    file.write_text(broken + "9001,2026-")
    page = look(file, None)
    assert len(page.posts) + len(page.rejected) == 9


def test_an_archive_that_is_being_written_waits_for_the_rest(tmp_path: Path) -> None:
    whole = gzip.compress(write(tmp_path / "b.csv", [row(i) for i in range(3000)]).read_bytes())
    file = tmp_path / "a.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])
    options = FilesOptions(path=str(file))
    first = list(Files(Context("files", options)).fetch(ANY, None))
    file.write_bytes(whole)
    second = list(Files(Context("files", options)).fetch(ANY, first[-1].cursor))
    posts = [p.native_id for page in (*first, *second) for p in page.posts]
    assert posts == [row(i)[0] for i in range(3000)]
    assert not any(page.rejected for page in first + second)


def test_position_and_coverage_are_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(i) for i in range(25)])
    collector = Files(Context("files", FilesOptions(path=str(file), batch=10)))
    seen = [(collector.position, page.coverage) for page in collector.fetch(ANY, None)]
    assert seen[-1][0] == file.stat().st_size
    assert seen[0][1].returned == 10
    assert seen[0][1].window_start == datetime.fromtimestamp(1_700_000_000, UTC)


def test_check_says_whether_the_file_is_there(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [row(1)])
    asked = [(str(file), True), (str(tmp_path / "no.csv"), False), ("", False)]
    for path, ready in asked:
        assert Files(Context("files", FilesOptions(path=path))).check([], 60).ready is ready


# --- anything at all


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400))
def test_any_bytes_below_the_heads_are_posts_or_rejects(tmp_path: Path, junk: bytes) -> None:
    file = tmp_path / "a.csv"
    good = ",".join(row(1)).encode()
    file.write_bytes(",".join(HEADS).encode() + b"\n" + good + b"\n" + junk)
    posts, rejected = read(file, encoding="utf-8", delimiter=",")
    assert posts[0].native_id == row(1)[0]
    for post in posts:
        post.text.encode("utf-8")
        assert "\x00" not in post.text
    assert all(r.reason and r.where for r in rejected)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00&"), min_size=1),
        min_size=1,
        max_size=20,
    )
)
def test_texts_come_back_as_they_were(tmp_path: Path, texts: list[str]) -> None:
    texts = ["a first text", *texts]
    file = write(tmp_path / "a.csv", [row(i, text) for i, text in enumerate(texts)])
    posts, rejected = read(file, encoding="utf-8", delimiter=",")
    assert [p.text for p in posts] == [t for t in texts if t.strip()]
    assert len(rejected) == sum(not t.strip() for t in texts)


# --- what is handed over in place of an export, and what no reader should choke on


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "is an Excel workbook, or another zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"SQLite format 3\x00", "is an SQLite database"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "is a web page"),
        (b"BZh91AY&SY", "is packed by bzip2"),
    ],
)
def test_what_is_no_export_is_called_by_its_name(tmp_path: Path, begin: bytes, said: str) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(begin + bytes(range(256)) * 8)
    with pytest.raises(InputError, match=said):
        inspect(file)


@pytest.mark.parametrize("text", ['{\n  "text": "Acme",\n  "created": "2024-05-01"\n}\n', "{}\n"])
def test_json_over_several_lines_is_told_how_to_become_lines(tmp_path: Path, text: str) -> None:
    file = tmp_path / "export.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"none of its lines is a JSON object with values.* jq -c"):
        inspect(file)


def test_a_file_without_heads_is_told_that_its_first_post_was_taken_for_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "export.csv"
    file.write_text("1,Acme is bad,2024-05-01 10:00\n2,Acme is good,2024-05-02 10:00\n")
    with pytest.raises(InputError, match="its first line is taken for the heads: if it is a post"):
        inspect(file)


def test_a_broken_file_of_very_many_columns_is_told_in_a_few_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a," * 50_000 + "b" * 9_000 + "\n" + "1," * 50_001 + "\n")
    with pytest.raises(InputError, match="and 49,941 more") as caught:
        inspect(file)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("mark", [b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"])
def test_utf_32_is_read_by_its_mark(tmp_path: Path, mark: bytes) -> None:
    file = tmp_path / "export.csv"
    order = "le" if mark[0] else "be"
    file.write_bytes(mark + "text,created\nschön 🚀,2024-05-01\n".encode(f"utf-32-{order}"))
    assert [p.text for p in read(file)[0]] == ["schön 🚀"]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_line_without_an_end_is_set_aside_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quote: str
) -> None:
    """It is read in pieces: at no time is all of it in memory."""
    monkeypatch.setattr("listener.collectors.dialect.LONGEST_LINE", 5_000)
    rows = [("1", "one"), ("2", quote + "x" * 23_456 + quote), ("3", "three")]
    file = tmp_path / "a.csv"
    file.write_text("id,text,created\n" + "".join(f"{i},{t},2024-05-01\n" for i, t in rows))
    posts, rejects = read(file)
    assert [p.text for p in posts] == ["one", "three"]
    assert [r.where for r in rejects] == ["row 2"]
    assert "the line has more than" in rejects[0].reason
    assert len(rejects[0].payload) <= 5_000
    objects = [{"id": int(i), "text": t, "created": "2024-05-01"} for i, t in rows]
    posts, rejects = read(lines(tmp_path / "a.jsonl", *objects))
    assert [p.text for p in posts] == ["one", "three"]
    assert "the line has more than" in rejects[0].reason


def test_a_quote_left_open_before_a_line_without_an_end_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.collectors.dialect.LONGEST_LINE", 5_000)
    file = tmp_path / "a.csv"
    file.write_text(
        "id,text,created\n"
        '1,one,2024-05-01\n2,"open,2024-05-01\n3,three,2024-05-01\n'
        f"4,{'x' * 9_000},2024-05-01\n5,five,2024-05-01\n"
    )
    posts, rejects = read(file)
    assert [p.text for p in posts] == ["one", '"open', "three", "five"]
    assert [r.where for r in rejects] == ["row 4"]


# --- times


def test_a_column_of_zones_beside_times_without_one_is_told(tmp_path: Path) -> None:
    heads = ["text", "created", "timezone", "user_timezone"]
    rows = [
        ["Acme", "2024-05-01 10:00", "Europe/Berlin", "Eastern Time (US & Canada)"],
        ["Acme too", "2024-05-01 10:00", "-05:00", ""],
    ]
    file = write(tmp_path / "a.csv", rows, heads)
    said = [note for note in inspect(file).notes if "'timezone'" in note]
    assert said == [
        "the column 'timezone' is not read; if it holds the zones of the times, add "
        "--map created=created+timezone"
    ]
    posts, _ = read(file, map={"created": "created+timezone"})
    assert [p.created_at.hour for p in posts] == [8, 15]
    whole = write(tmp_path / "b.csv", [["Acme", "2024-05-01T10:00Z", "CET", ""]], heads)
    assert not [note for note in inspect(whole).notes if "'timezone'" in note]


def test_a_post_from_the_future_is_set_aside_with_what_may_be_wrong(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [["Acme", "2024-05-03 10:00"], ["Acme too", "2024-05-01 23:59"]],
                 ["text", "created"])  # fmt: skip
    made = FilesOptions(path=str(file))
    now = datetime(2024, 5, 1, 12, tzinfo=UTC)
    (page,) = Files(Context("import:test", made, clock=lambda: now)).fetch(ANY, None)
    assert [p.text for p in page.posts] == ["Acme too"], (
        "half a day ahead is a zone that was not told"
    )
    assert page.rejected[0].where == "row 1"
    assert "2024-05-03 10:00 UTC lies ahead" in page.rejected[0].reason
    assert "--date-order" in page.rejected[0].reason


# --- rows that were rejected


def test_a_followed_file_is_read_again_once_where_more_rows_are_taken_now(tmp_path: Path) -> None:
    heads = ["id", "created", "title", "body"]
    rows = [["abc1", "2024-05-01", "A headline alone", ""], ["abc2", "2024-05-02", "t", "a body"]]
    file = write(tmp_path / "a.csv", rows, heads)
    before = {k: v for k, v in (look(file, None).cursor or {}).items() if k != "takes"}
    again = look(file, before)
    assert [p.text for p in again.posts] == ["A headline alone", "a body"]
    assert look(file, again.cursor).posts == []


def test_what_is_rejected_again_is_kept_once(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.csv", [["Acme", "2024-05-01"], ["x", "no time"]], ["text", "created"]
    )
    with Store(tmp_path / "t.db") as store:
        pipeline = Pipeline(store, parse_config("brands: [{name: Acme}]"))
        for _ in range(2):
            counts, _ = _import_file(pipeline, FilesOptions(path=str(file)), None, show=False)
            assert counts["rejected"] == 1
        assert store.value("SELECT COUNT(*) FROM rejects") == 1
        write(file, [["Acme", "2024-05-01"], ["x", "still none"]], ["text", "created"])
        _import_file(pipeline, FilesOptions(path=str(file)), None, show=False)
        assert store.value("SELECT COUNT(*) FROM rejects") == 2


# --- times that are read in another way


@pytest.mark.parametrize("heads", [["id", "text", "created"], ["author", "text", "created"]])
def test_an_import_repeated_with_its_time_zone_moves_the_posts_and_doubles_none(
    tmp_path: Path, heads: list[str]
) -> None:
    rows = [["90012345678901234501", "Acme is slow", "2024-05-01 10:30"],
            ["90012345678901234502", "Acme is late", "2024-05-01 23:30"]]  # fmt: skip
    file = write(tmp_path / "a.csv", rows, heads)
    with Store(tmp_path / "t.db") as store:
        pipeline = Pipeline(store, parse_config("brands: [{name: Acme}]"))

        def take(zone: str) -> tuple[int, int]:
            options = FilesOptions(path=str(file), timezone=zone)
            counts, _ = _import_file(pipeline, options, None, show=False)
            tick = pipeline.tick(only=("place", "flag", "group", "count"))
            assert not tick.failed
            return counts["stored"], counts["updated"]

        def hours(sql: str) -> list[int]:
            return [row["at"] // 3600 % 24 for row in store.rows(f"{sql} ORDER BY at")]

        assert take("UTC") == (2, 0)
        assert take("America/New_York") == (0, 2)
        for sql in (
            "SELECT created_at AS at FROM posts", "SELECT hour AS at FROM mentions",
            "SELECT hour AS at FROM counts", "SELECT published_at AS at FROM cases",
            "SELECT due_at - 3600 AS at FROM cases",
        ):  # fmt: skip
            assert hours(sql) == [14, 3], sql
        assert take("America/New_York") == (0, 0)
        assert take("UTC") == (0, 2)
        assert hours("SELECT hour AS at FROM counts") == [10, 23]


def test_an_import_that_was_cut_while_it_moved_posts_moves_the_others_the_next_time(
    tmp_path: Path,
) -> None:
    rows = [[f"9001234567890123{n:04}", f"post {n}", "2024-05-01 10:30"] for n in range(6)]
    file = write(tmp_path / "a.csv", rows, ["id", "text", "created"])
    first = pages(file)[-1].cursor
    moving = pages(file, first, timezone="Asia/Tokyo", batch=2)
    assert [page.retimed for page in moving] == [True] * 4
    assert sum(len(page.posts) for page in moving) == 6
    again = pages(file, moving[1].cursor, timezone="Asia/Tokyo")
    assert [len(page.posts) for page in again] == [6]
    assert again[0].retimed
    assert pages(file, moving[-1].cursor, timezone="Asia/Tokyo")[0].posts == []


def test_a_spike_of_posts_that_were_moved_goes_unless_somebody_was_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [["90012345678901234501", "Acme", "2024-05-01 10:30"]],
                 ["id", "text", "created"])  # fmt: skip
    with Store(tmp_path / "t.db") as store:
        pipeline = Pipeline(store, parse_config("brands: [{name: Acme}]"))
        _import_file(pipeline, FilesOptions(path=str(file)), None, show=False)
        with store.write() as db:
            for spike in (1, 2):
                db.execute(
                    "INSERT INTO spikes (id, brand, region, kind, start, peak, expected, observed, "
                    "p_value, severity, found_at) "
                    "VALUES (?, 'Acme', '*', 'volume', ?, 1, 1, 1, 0, 1, 1)",
                    (spike, spike),
                )
                db.execute("INSERT INTO spike_posts SELECT ?, key FROM posts", (spike,))
        store.add_alert(
            subject="s", channel="log", title="t", body="b", rule="r", now=1, spike_id=2
        )
        options = FilesOptions(path=str(file), timezone="Asia/Tokyo")
        _import_file(pipeline, options, None, show=False)
        assert [row["id"] for row in store.rows("SELECT id FROM spikes")] == [2]


def test_an_edit_leaves_a_post_in_the_hour_in_which_it_is_counted(tmp_path: Path) -> None:
    with Store(tmp_path / "t.db") as store:
        pipeline = Pipeline(store, parse_config("brands: [{name: Acme}]"))
        for hour, text in ((10, "Acme"), (12, "Acme again")):
            post = Post("rss", "1", text, datetime(2024, 5, 1, hour, tzinfo=UTC))
            pipeline.keep(Page([post], {}), source="rss", platform="rss", query="all")
        assert store.rows("SELECT p.text, p.created_at - m.created_at AS apart FROM posts p, "
                          "mentions m") == [{"text": "Acme again", "apart": 0}]  # fmt: skip


# --- a file that is followed


def test_a_file_that_was_written_anew_is_read_from_the_top(tmp_path: Path) -> None:
    """Its first row is the same, so that it looks like the file that was followed."""
    file = write(tmp_path / "a.csv", [row(1), row(2), row(3)])
    first = look(file, None)
    shorter = look(write(file, [row(1), row(4)]), first.cursor)
    assert [p.text for p in shorter.posts] == ["hello there"] * 2
    assert shorter.posts[-1].native_id == row(4)[0]
    as_long = look(write(file, [row(1), row(5), row(6)]), first.cursor)
    assert [p.native_id for p in as_long.posts] == [row(n)[0] for n in (1, 5, 6)]
    longer = look(write(file, [row(1), row(2), row(3), row(4)]), first.cursor)
    assert [p.native_id for p in longer.posts] == [row(4)[0]], "a file that grew is not read again"
    assert look(file, longer.cursor).posts == []


def test_a_row_that_was_taken_half_written_is_put_right_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    whole = (
        "id,text,created\n9001234567890123,one,2024-05-01\n9001234567890124,Acme is late,2024-05-01"
    )
    file.write_text(whole.replace(" is late", ""))
    cursor = look(file, look(file, None).cursor).cursor
    file.write_text(whole + "\n")
    assert [p.text for p in look(file, cursor).posts] == ["one", "Acme is late"]


@pytest.mark.parametrize("text", ["", "id,text,created\n", "\n\n"])
def test_a_followed_file_without_a_row_is_no_failure(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    page = look(file, None)
    assert (page.posts, page.complete, page.coverage.failed) == ((), True, None)
    with pytest.raises(InputError):
        pages(file)


def test_a_followed_file_that_cannot_be_read_fails_as_a_source_does(tmp_path: Path) -> None:
    now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    file = tmp_path / "gone.csv"
    config = parse_config(
        f"brands: [{{name: Acme}}]\nsources: [{{platform: files, path: '{file}', every: 5m}}]"
    )
    with Store(tmp_path / "t.db") as store:
        pipeline = Pipeline(store, config, clock=lambda: now[0])
        (source,) = config.sources
        pipeline.collect(source)
        assert "No such file" in pipeline.failures["files"]
        (health,) = store.health()
        assert (health["failures"], health["last_ok_at"]) == (1, None)
        assert "No such file" in health["last_error"]
        assert store.value("SELECT SUM(requests) FROM coverage") == 0
        write(file, [row(1, "Acme is back")])
        now[0] += timedelta(minutes=5)
        assert pipeline.collect(source).stored == 1, "it waits no longer than its turn"
        assert store.health()[0]["failures"] == 0


@pytest.mark.parametrize(
    ("text", "ready", "said"),
    [
        (
            "Message,Posted\nAcme is late,2024-05-01\n",
            True,
            "texts in 'Message', times in 'Posted'",
        ),
        ("Message,Posted\n", True, "which holds no post yet"),
        ("", True, "which holds no post yet"),
        ("Mood,Colour\nbad,red\n", False, "Say which it is with --map text=COLUMN"),
        ("%PDF-1.7", False, "is a PDF"),
    ],
)
def test_check_says_whether_a_followed_file_is_understood(
    tmp_path: Path, text: str, ready: bool, said: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    state = Files(Context("files", FilesOptions(path=str(file)))).check([], 300)
    assert state.ready is ready
    assert said in state.detail
