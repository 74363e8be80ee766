"""How it looks: the colours of both themes, and the style sheet.

Negative is orange and positive is blue, the pair that people with the common kinds of colour blindness
tell apart; each also has its own sign (▼ ● ▲ ?), so that no meaning hangs on colour alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

SIGNS = {"negative": "▼", "neutral": "●", "positive": "▲", "unsure": "?", "": "…"}
WORDS = {"unsure": "unsure", "": "not judged yet"}
STYLE = Path(__file__).with_name("static") / "style.css"
# A material icon as the page's icon would be fetched from another host; a file of ours is not.
ICON = STYLE.with_name("icon.png")


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by their task; contrast of text on card is 4.5:1 or better in both themes."""

    page: str
    card: str
    line: str
    text: str
    muted: str
    negative: str
    positive: str
    neutral: str
    land: str
    sea: str
    gap: str
    usual: str
    accent: str
    diverging: tuple[str, ...]


LIGHT = Palette(
    page="#F5F6F8", card="#FFFFFF", line="#D9DEE6", text="#141B26", muted="#566173",
    negative="#B8500A", positive="#1B62B5", neutral="#6B7686", land="#EFF1F4", sea="#D3D9E1",
    gap="#D6DBE3", usual="#AEB8C6", accent="#141B26",
    diverging=("#B8500A", "#E08A45", "#EBB88A", "#B4BCC8", "#93BAE6", "#5B97D8", "#1B62B5"),
)  # fmt: skip
DARK = Palette(
    page="#0C1118", card="#151C27", line="#283343", text="#E9EEF6", muted="#9AA8BC",
    negative="#FF9A40", positive="#58A9FF", neutral="#93A0B3", land="#1A2330", sea="#2E3A4B",
    gap="#3A4658", usual="#5C6B80", accent="#E9EEF6",
    diverging=("#FF9A40", "#C9742B", "#8A5C38", "#667385", "#3D6796", "#3F80C4", "#58A9FF"),
)  # fmt: skip


def palette(theme: str | None) -> Palette:
    """The colours of a Streamlit theme ("dark", "light" or None before the browser has said)."""
    return DARK if theme == "dark" else LIGHT


def variables(colours: Palette) -> str:
    """The palette as CSS variables, in a style element."""
    lines = "".join(
        f"--gs-{name}:{value};" for name, value in asdict(colours).items() if isinstance(value, str)
    )
    return f"<style>:root{{{lines}}}</style>"
