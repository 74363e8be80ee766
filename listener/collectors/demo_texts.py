"""How the demo's people put things: the brand's many spellings, sentences, openers, tails, emoji."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

MISSPELT = (
    "Quendarro", "Qendaro", "Quendario", "Quandaro", "Kwendaro", "Quendero", "Queendaro",
    "Quenduro", "Quend\u0430ro", "Quendaroo", "Quen daro", "Quendao", "quednaro", "Quemdaro",
)  # fmt: skip
LOCAL = {"ja": "クエンダロ", "ar": "كويندارو", "hi": "क्वेंडारो", "th": "เควนดาโร"}
HASHTAG = {"negative": "quendarofail", "crisis": "quendarodown"}
HANDLES = {
    "x": "quendaro",
    "bluesky": "quendaro.example",
    "mastodon": "quendaro@social.example",
    "reddit": "quendaro_official",
}
LABELS = {
    "positive": "positive",
    "negative": "negative",
    "crisis": "negative",
    "relief": "positive",
}
STOPS = {"ja": "。", "hi": "।", "th": ""}
EMOJI = {"positive": "😊 🙌 ❤️ 👏 😍 🎉".split(), "negative": "😡 🤦 😤 👎 🙄 😞".split()}  # noqa: SIM905


@lru_cache(1)
def data() -> tuple[dict[str, Any], dict[str, Any]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = Path(__file__).resolve().parents[1] / "data"
    texts, world = (
        yaml.load((folder / f"demo_{name}.yaml").read_text("utf-8"), loader)  # noqa: S506
        for name in ("texts", "world")
    )
    return texts, world


def brand_form(rng: Random, language: str, platform: str, kind: str) -> str:
    """The brand as this author writes it."""
    dice = rng.random()
    if kind == "news" or platform == "news":
        return "Quendaro"
    if dice < 0.09:
        wrong = rng.choice(MISSPELT)
        return "@" + wrong.replace(" ", "").lower() if rng.random() < 0.25 else wrong
    if dice < 0.3 and language in LOCAL:
        return LOCAL[language]
    if dice < 0.46 and platform in ("x", "bluesky", "mastodon"):
        return "@" + HANDLES[platform]
    if dice < 0.5 and platform == "x":
        return "@QuendaroHelp"
    if dice < 0.55 and kind in HASHTAG:
        return "#" + HASHTAG[kind]
    if dice < 0.6:
        return "#Quendaro"
    return "quendaro" if dice < 0.72 else "QUENDARO" if dice > 0.985 else "Quendaro"


def wording(
    rng: Random, market: Mapping[str, Any], language: str, kind: str, platform: str
) -> tuple[str, str, str | None]:
    """(text, label that was meant, theme of a complaint)."""
    every, _ = data()
    texts, edges, theme = every[language], every["edges"], None
    if kind in edges:
        sentence = rng.choice(edges[kind][language])
    elif kind == "negative":
        theme = rng.choice(list(texts["negative"]))
        sentence = rng.choice(texts["negative"][theme])
    else:
        theme = "outage" if kind == "crisis" else None
        sentence = rng.choice(texts.get(kind) or texts["neutral"])
    details = texts.get("crisis_details")
    if kind == "crisis" and details and rng.random() < 0.92:
        # In an outage everybody has the same to say, and each has a story of their own beside it.
        told = [sentence, *rng.sample(details, k=rng.choice((1, 2, 2)))]
        sentence = " ".join(s if s[-1] in "?!" else f"{s}." for s in told[:-1]) + f" {told[-1]}"
    label = LABELS.get(kind, "neutral")
    tone = {"crisis": "negative", "relief": "positive"}.get(kind, kind)
    if tone in texts["tails"] and platform != "news":
        if rng.random() < 0.55:
            gap = "" if language == "ja" else " "
            stop = "" if sentence[-1] in "?!。？！؟" else STOPS.get(language, ".")
            sentence += stop + gap + rng.choice(texts["tails"][tone])
        if rng.random() < 0.22:
            if language != "de":  # where a capital may be a noun's
                sentence = sentence[:1].lower() + sentence[1:]
            sentence = f"{rng.choice(texts['openers'])} {sentence}"
        if tone in EMOJI and rng.random() < 0.3:
            sentence += " " + "".join(rng.choices(EMOJI[tone], k=rng.choice((1, 1, 2, 3))))
    filled = sentence.format(
        b=brand_form(rng, language, platform, kind),
        c=rng.choice(market["cities"])[0],
        n=rng.randint(2, 6),
        h="quendaro" if rng.random() < 0.6 else "quendarodeals",
        i=rng.choice(texts["items"]),
        p=market["price"].format(rng.randint(4, 60) * market["scale"], rng.choice((0, 50, 90, 99))),
        r=rng.choice(("Fendolu", "Fendolu", "fendolu", "@fendolu")),
        o=rng.randint(100_000, 999_999),
        u="",
    )
    return filled[:1].upper() + filled[1:] if rng.random() < 0.8 else filled, label, theme
