"""Which language a post is in, told from its own text.

py3langid does most of it: it is kept up, carries its model (no download) and knows African languages
that lid.176 does not. It takes many small languages for a bigger neighbour, so their everyday words are
looked for first; the lists are the words that set each language's training texts apart.
"""

# ruff: noqa: E501, SIM905 - word lists read best unbroken
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

UNKNOWN = "unknown"
LEAST = 0.30
"""Below this confidence a language is not told: too often it is a neighbour's."""
READ = 240  # characters are enough to tell, and keep long posts cheap

_MARKERS = {
    "tw": "sika nso yɛ anaa nyame sɛ deɛ wei anka gyae ei baako koraa paa nyinaa mpo wo ne na no ɛyɛ ɛne",
    "ts": "wena mina swi swa famba xa niku yini xokwe loko hi ku leswi leswaku ngopfu",
    "hi": "bhai bhi kya nahi nhi aap tha aur koi kuch hain aaj sab liye hai hoga karo acha accha mera "
    "mujhe tum yaar bohot bahut kyun kyu raha rahi wala",
    "pcm": "dey wey una abeg wetin dis sabi dem pikin oga wahala fit sef enter don dat na no be make am",
    "ace": "nyang ngon lon nyoe pih keu nyan cit meunyo jih jeuet pajoh watee mantong lagee teumpat ureueng "
    "kamoe meuhai rumoh lagak disinoe keuneuk saboh",
    "ban": "sane ring ane sajan ngajeng ajengan tiyang jaen krana liu tongos wenten tusing lakar yening "
    "sampun dados anggon ento niki nenten",
    "bjn": "nang kada ulun banar jua wadah haja kawa ngini haraga katuju liwar mayan pian babarapa kadida jar",
    "bug": "okko sibawa iya ladde anre nasaba manre engka ellinna aga maega iyaro narekko mega makessing "
    "onroang mancaji iyae",
    "mad": "bik ben tak engkok ghebey sarah ngakan kakanan riya rassana oreng deddhi terro rassa bhei "
    "ongghu bekto kennengngan",
    "min": "untuak bana ndak indak tampek wak ado siko alah nio makanannyo harago dek rasonyo samo karano iko "
    "hanyo biaso lamo ancak paliang sakali babarapo",
    "nij": "ji eka tutu tuh penginan diak kuman tege tuntang kea bahalap awi hetuh beken ije uluh ikei andau",
    "su": "nu teu pisan abdi ieu aya raos tiasa tuangeun seueur jeung dieu kusabab upami tempatna ngan eta "
    "hoyong henteu ayeuna sanes anjeun ngeunah",
    "bbc": "dohot dang tabo hian inganan molo mansai adong alai sian godang songon boi muse alana parmanganan "
    "holan manang tung",
    "jv": "ora karo ing ning panganane apik tenan saka panggonan amarga wis marang dhewe kuwi luwih kanthi iku "
    "yaiku wong wektu uwis saiki",
}  # fmt: skip
_CODES: dict[str, set[str]] = {}
for _code, _words in _MARKERS.items():
    for _word in _words.split():
        _CODES.setdefault(_word, set()).add(_code)

# Words of these lists that are everyday words of other languages too (Slavic, German, English ...): they
# count, but one of the others has to stand beside them.
_SHARED = frozenset(
    "wo ne na no ei wei am be make don it in se da man koi kita pas ben ado ya nu".split()
)

LEAST_SHARE = 1 / 7
_NOISE = re.compile(r"@\w+|https?\S*|www\.\S+|#|\bhttp\b")
_ASSAMESE = re.compile("[ৰৱ]")
_WORD = re.compile(r"[^\W\d_]+")
# Left out: languages that on short posts are far more often a mistake than the truth.
_RARE = frozenset(  # easier to edit as one string
    "an bcl ext fuv gcf gcr gom grc gug hbo kik kab lij ltg se sdh vec vo wa zxx la sa br fo oc eo guw wuu "
    "crh uzs dz lb st nso qu ary ln lg sn mt".split(" ")
)


@dataclass(frozen=True)
class Language:
    """ISO 639 code (two letters where there is one) or ``unknown``, and how sure that is, 0 to 1."""

    code: str
    confidence: float


@lru_cache(maxsize=1)
def _library() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([label for label in identifier.labels if label not in _RARE])
    return identifier


def detect(texts: Sequence[str]) -> list[Language]:
    """Tell the language of each text; ``unknown`` where there is too little to go by."""
    return [_detect(text) for text in texts]


@lru_cache(maxsize=20_000)
def _detect(text: str) -> Language:
    bare = _NOISE.sub(" ", text[:READ])
    words = _WORD.findall(bare.lower())
    if not any(len(w) > 1 or ord(w[0]) > 0x2E80 for w in words):
        return Language(UNKNOWN, 0.0)
    marked = _marked(words)
    code, confidence = _library().classify(" ".join(bare.split()))
    if marked and marked.code != code:
        return marked
    if code == "as" and not _ASSAMESE.search(bare):
        code = "bn"  # one script; only these two letters tell them apart for sure
    if confidence < LEAST:
        return Language(UNKNOWN, round(float(confidence), 3))
    return Language({"arz": "ar"}.get(code, code), round(float(confidence), 3))


def _marked(words: Sequence[str]) -> Language | None:
    """The language whose everyday words make up enough of the text, two of them different."""
    votes: dict[str, set[str]] = {}
    hits: dict[str, int] = {}
    for word in words:
        for code in _CODES.get(word, ()):
            votes.setdefault(code, set()).add(word)
            hits[code] = hits.get(code, 0) + 1
    if not votes:
        return None
    best = max(votes, key=lambda c: (len(votes[c]), hits[c]))
    share = hits[best] / len(words)
    if len(votes[best]) < 2 or share < LEAST_SHARE or votes[best] <= _SHARED:
        return None
    return Language(best, round(min(0.95, 0.5 + share), 3))
