"""Makes world.json from Natural Earth's shapes: `npm pack world-atlas@2`, unpack, then
`python dashboard/static/build_world.py package/`.

The shapes are Natural Earth's (public domain), cut into TopoJSON by world-atlas 2.0.2 (ISC). Ids become
ISO 3166 alpha-2 (they are ISO numeric there); countries too small for the 1:110m shapes (Singapore,
Malta, …) become points at the middle of their 1:50m shape. Antarctica is left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# Natural Earth shortens names to fit on a map, and its 1:50m shapes lack some places that have a code.
NAMES = {
    "US": "United States", "CD": "DR Congo", "CF": "Central African Republic",
    "VC": "St. Vincent and the Grenadines", "BA": "Bosnia and Herzegovina",
    "GQ": "Equatorial Guinea", "SS": "South Sudan", "DO": "Dominican Republic",
    "MK": "North Macedonia", "SZ": "Eswatini", "AG": "Antigua and Barbuda",
    "BL": "St. Barthélemy", "CK": "Cook Islands", "EH": "Western Sahara", "FK": "Falkland Islands",
    "FO": "Faroe Islands", "GS": "South Georgia", "HM": "Heard and McDonald Islands",
    "IO": "British Indian Ocean Territory", "KY": "Cayman Islands", "MF": "St. Martin",
    "MH": "Marshall Islands", "MP": "Northern Mariana Islands", "PF": "French Polynesia",
    "PN": "Pitcairn Islands", "SB": "Solomon Islands", "TC": "Turks and Caicos Islands",
    "TF": "French Southern Territories", "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands", "WF": "Wallis and Futuna", "ST": "São Tomé and Príncipe",
    "BQ": "Caribbean Netherlands", "BV": "Bouvet Island", "CC": "Cocos Islands",
    "CX": "Christmas Island", "GF": "French Guiana", "GI": "Gibraltar", "GP": "Guadeloupe",
    "MQ": "Martinique", "RE": "Réunion", "SJ": "Svalbard and Jan Mayen", "TK": "Tokelau",
    "TV": "Tuvalu", "UM": "U.S. Minor Outlying Islands", "YT": "Mayotte",
}  # fmt: skip
NO_NUMBER = {"Kosovo": "XK"}  # in everyday use as a code; N. Cyprus and Somaliland have none


def codes() -> dict[str, str]:
    import pycountry

    return {c.numeric: c.alpha_2 for c in pycountry.countries}


def rings(topology: dict[str, Any], arcs: Any) -> list[list[tuple[int, int]]]:
    """The rings of a (multi)polygon as delta-decoded integer coordinates."""
    if arcs and isinstance(arcs[0], list):
        return [ring for part in arcs for ring in rings(topology, part)]
    ring: list[tuple[int, int]] = []
    for index in arcs:
        arc = topology["arcs"][index if index >= 0 else ~index]
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x, y))
        ring += points if index >= 0 else points[::-1]
    return [ring]


def longest(topology: dict[str, Any], geometry: dict[str, Any]) -> list[tuple[int, int]]:
    return max(rings(topology, geometry["arcs"]), key=len)


def middle(topology: dict[str, Any], geometry: dict[str, Any]) -> tuple[float, float]:
    """Longitude and latitude of the middle of the shape's longest ring."""
    ring = longest(topology, geometry)
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    x = sum(p[0] for p in ring) / len(ring) * scale[0] + shift[0]
    y = sum(p[1] for p in ring) / len(ring) * scale[1] + shift[1]
    return round(x, 2), round(y, 2)


def build(folder: Path) -> dict[str, Any]:
    number = codes()
    coarse = json.loads((folder / "countries-110m.json").read_text(encoding="utf-8"))
    fine = json.loads((folder / "countries-50m.json").read_text(encoding="utf-8"))

    def code(geometry: dict[str, Any]) -> str | None:
        return number.get(geometry.get("id", "")) or NO_NUMBER.get(geometry["properties"]["name"])

    shapes = []
    for geometry in coarse["objects"]["countries"]["geometries"]:
        found = code(geometry)
        if found == "AQ":
            continue
        geometry.pop("id", None)
        geometry["properties"] = {"code": found or "", "name": geometry["properties"]["name"]}
        shapes.append(geometry)
    drawn = {g["properties"]["code"] for g in shapes}
    names = dict(NAMES)
    points: dict[str, tuple[float, float]] = {}
    # Australia's number stands on Ashmore and Cartier too: the larger of two shapes is the country.
    whole = fine["objects"]["countries"]["geometries"]
    for geometry in sorted(whole, key=lambda g: len(longest(fine, g)), reverse=True):
        found = code(geometry)
        if found is None or found in points:
            continue
        names.setdefault(found, geometry["properties"]["name"])
        if found != "AQ":
            points[found] = middle(fine, geometry)
    coarse["objects"] = {"countries": {"type": "GeometryCollection", "geometries": shapes}}
    coarse.pop("bbox", None)
    small = sorted(set(points) - drawn)
    return {"topology": coarse, "small": small, "points": points, "names": names}


if __name__ == "__main__":
    world = build(Path(sys.argv[1]))
    target = Path(__file__).with_name("world.json")
    target.write_text(json.dumps(world, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    print(len(world["topology"]["objects"]["countries"]["geometries"]), "shapes,",
          len(world["small"]), "points,", target.stat().st_size, "bytes")  # fmt: skip
