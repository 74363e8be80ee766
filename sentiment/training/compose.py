"""Real posts about one brand, with a clause of our own that brings in a second one.

A post whose label is known, and a clause whose drift we know, give two labels at once: the post's toward
its own brand, the clause's toward the other. ``{b}`` is the other brand. Each clause stands under what the
post must say (negative, neutral, positive) and what the clause then says of ``{b}``; it is written such
that it leaves the feeling toward the post's own brand as it was.
"""

# ruff: noqa: E501 - lists read best unbroken
from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from sentiment.training.templates import NAMES, N, O, P

Clauses = dict[tuple[int, int], tuple[str, ...]]

ENGLISH: Clauses = {
    (N, P): (
        "Next time I'm going with {b}", "next time {b}", "{b} would never do this to me", "should have taken {b}",
        "I should've known better and booked {b}", "maybe ask {b} how it's done", "learn something from {b}",
        "taking my business to {b}", "Hello {b}", "{b} here I come", "back to {b} for me", "I'm switching to {b}",
        "I never have this problem with {b}", "{b} had no trouble at all", "wish I was with {b}",
        "this is why I use {b}", "this is why people choose {b}", "meanwhile {b} works just fine",
        "{b} answers the phone at least", "{b} fixed it in ten minutes", "at least {b} cares",
        "{b} is looking better every day", "{b} does it for free", "{b} manages it every day, why can't you?",
        "why can't you be more like {b}?", "you're no {b}", "I miss {b}", "can't wait to be back with {b}",
        "from now on only {b}", "{b} just got a new customer", "{b} is winning me over", "{b} saved my trip",
        "thank goodness for {b}", "luckily {b} came through", "{b} got everyone home on time", "{b} has way better service",
        "never happens on {b}", "I'd rather pay double for {b}", "gimme {b} any day", "{b} knows how to treat people",
        "You make {b} look like heaven", "hope {b} wants my money more than you do", "so today I signed up with {b}",
        "moving everything to {b} after this", "now I remember why I liked {b}", "#{b} ftw", "{b} for the win",
    ),
    (N, O): (
        "had to book with {b} instead", "now I'm waiting on {b}", "so I got put on {b}", "ended up on {b}",
        "cost me $400 to get there with {b}", "now I have to buy a ticket from {b}", "rebooked with {b}",
        "my connection is with {b}", "my wife is on {b} today", "does {b} go there?", "what does {b} charge for this?",
        "is {b} hiring?", "{b} can you help?", "{b} are you seeing this?", "anyone know if {b} is open?", "looking at {b} now",
        "they told me to call {b}", "you sent me to {b} and they sent me back to you", "I also have an account with {b}",
        "checking prices at {b}", "my bag went to {b}", "I was on {b} last week", "maybe I'll call {b}",
        "had to run from the {b} gate", "i paid for it with my {b} card", "{b} is next door", "coming from {b}",
        "had to leave {b} for this", "I have status with {b} as well", "thinking about trying {b}",
    ),
    (N, N): (
        "just like {b}", "as bad as {b}", "{b} did the same to me last week", "you are the new {b}", "turning into {b} I see",
        "even worse than {b}", "{b} is no better", "same with {b}", "and {b} is just as useless", "you and {b} deserve each other",
        "almost makes me miss {b}, and they were awful", "I thought {b} was the worst", "first {b} now this",
        "both you and {b} need to answer", "{b} you too!", "{b} lost my stuff as well", "don't get me started on {b}",
        "and {b} doesn't answer either", "sick of you and {b}", "please don't send me back to {b} again",
        "ever since you teamed up with {b} it's been like this", "what a mess you and {b} have made", "{b} all over again",
    ),
    (P, N): (
        "unlike {b}", "{b} take note", "{b} could learn from you", "so glad I left {b}", "{b} never did that for me",
        "after what {b} put me through", "can't say the same for {b}", "so much better than {b}", "beats {b} any day",
        "sorry {b}, you lost me", "way easier than with {b}", "{b} should be ashamed", "{b} would still have me on hold",
        "goodbye {b}", "you saved me from {b}", "next time I won't bother with {b}", "never going back to {b}",
        "{b} made me wait three hours and then hung up", "and {b} said it couldn't be done", "{b} this is how you do it",
        "I was stuck because {b} cancelled on me", "{b} nope", "hear that {b}?", "you put {b} to shame",
    ),
    (P, O): (
        "on to {b} next", "now for my {b} trip", "can I use my {b} points?", "we fly {b} tomorrow", "same building as {b}",
        "thanks for putting me on {b}", "thanks for booking me on {b}", "I paid with my {b} card", "my sister works for {b}",
        "coming over from {b}", "was with {b} before", "do you work with {b}?", "we had {b} last year", "does {b} do this?",
        "switching over from {b} this month", "it works with my {b} too",
    ),
    (P, P): (
        "you and {b} are my favorites", "{b} too", "so is {b}", "thanks also to {b}", "and {b} was great as well",
        "big thanks to {b} also", "love {b} too", "as good as {b}", "almost as nice as {b}", "you and {b} make a great team",
        "shout out to {b} as well", "just as friendly as {b}",
    ),
    (O, P): (
        "{b} has been great about it", "{b} already does this", "loving {b} by the way", "I usually love flying {b}",
        "{b} told me right away", "{b} has the best deal", "like the one {b} has, which I love",
        "{b} is my favorite", "my friends all swear by {b}",
    ),
    (O, O): (
        "or {b}?", "and {b}", "via {b}", "same as {b}?", "does it connect with {b}?", "what about {b}?", "and from there {b}",
        "is it the same price at {b}?", "I have a {b} card", "I'm with {b} now", "on {b} right now", "how does it compare to {b}?",
        "(with {b})", "{b} has one too", "after that we take {b}", "is {b} part of it?", "cc {b}", "{b} any idea?",
    ),
    (O, N): (
        "{b} won't tell me", "{b} has been useless so far", "{b} left me stranded", "trying to get away from {b}",
        "{b} cancelled on me", "since {b} never answers", "after {b} lost my booking", "because I'm done with {b}",
        "{b} just hung up on me", "I don't trust {b} with it",
    ),
}  # fmt: skip
LEADS: Clauses = {
    (N, P): ("I should have stayed with {b}.", "{b} got it right yesterday, but", "{b} is so easy.", "Unlike {b},",
             "I left {b} for this?", "Great trip with {b} last week. Now", "{b} was perfect, then"),
    (N, O): ("Flew {b} yesterday.", "Coming from {b}.", "On hold with {b} too.", "{b} put me on your list.", "cc {b}"),
    (N, N): ("{b} and you both:", "First {b}, now you.", "Between {b} and you I give up.", "As if {b} wasn't bad enough,", "{b} was awful and"),
    (P, N): ("After {b} left me hanging,", "{b} let me down again, but", "Done with {b}.", "No thanks to {b},", "{b} couldn't help me."),
    (P, O): ("Switched over from {b}.", "Got off {b} and", "From {b} to here:", "cc {b}"),
    (P, P): ("{b} was lovely and", "{b} and you both rock.", "Love {b} and"),
    (O, O): ("I'm on {b} today.", "Between {b} and you:", "{b} or you?", "Coming off {b},", "cc {b}"),
    (O, N): ("{b} bumped me.", "{b} won't help.", "Tired of {b}.", "{b} lost my bags."),
    (O, P): ("{b} was great about this.", "I love how {b} does it."),
}  # fmt: skip
TOGETHER = (
    "{a} {b} {post}",
    "{a} & {b} {post}",
    "{b} and {a}: {post}",
    "{a} {post} {b}",
    "{b} {a} - {post}",
)
"""Both are spoken to at once: the post's label holds toward each."""
OTHERS: dict[str, Clauses] = {
    "spanish": {
        (N, P): ("la próxima vez con {b}", "{b} nunca me haría esto", "me voy a {b}", "aprendan de {b}", "con {b} esto no pasa", "menos mal que existe {b}"),
        (N, O): ("tuve que comprar con {b}", "ahora espero a {b}", "ayer estuve en {b}", "¿y {b} qué precio tiene?"),
        (N, N): ("igual que {b}", "son tan malos como {b}", "{b} tampoco responde", "ni ustedes ni {b}"),
        (P, N): ("no como {b}", "{b} debería aprender", "adiós {b}", "mucho mejor que {b}"),
        (P, P): ("y {b} también", "gracias también a {b}"), (O, O): ("¿o {b}?", "como {b}", "¿y {b}?"), (P, O): ("antes estaba con {b}",),
    },
    "portuguese": {
        (N, P): ("da próxima vou de {b}", "a {b} nunca faria isso", "vou mudar pra {b}", "aprendam com a {b}", "com a {b} isso não acontece"),
        (N, O): ("tive que comprar na {b}", "ontem fui de {b}", "e a {b}, quanto custa?"),
        (N, N): ("igual à {b}", "tão ruim quanto a {b}", "e a {b} também não responde"),
        (P, N): ("diferente da {b}", "tchau {b}", "muito melhor que a {b}"),
        (P, P): ("e a {b} também", "obrigado também à {b}"), (O, O): ("ou {b}?", "igual a {b}?", "e a {b}?"), (P, O): ("antes eu usava a {b}",),
    },
    "french": {
        (N, P): ("la prochaine fois ce sera {b}", "{b} ne ferait jamais ça", "je passe chez {b}", "prenez exemple sur {b}", "chez {b} ça marche"),
        (N, O): ("j'ai dû passer par {b}", "hier j'étais chez {b}", "et chez {b} c'est combien ?"),
        (N, N): ("comme {b}", "aussi nuls que {b}", "et {b} ne répond pas non plus"),
        (P, N): ("contrairement à {b}", "adieu {b}", "bien mieux que {b}"),
        (P, P): ("et {b} aussi", "merci aussi à {b}"), (O, O): ("ou {b} ?", "et {b} ?", "comme {b} ?"), (P, O): ("avant j'étais chez {b}",),
    },
    "german": {
        (N, P): ("nächstes Mal wieder {b}", "bei {b} passiert das nie", "ich wechsle zu {b}", "nehmt euch ein Beispiel an {b}", "{b} kann das besser"),
        (N, O): ("musste bei {b} buchen", "gestern war ich bei {b}", "was kostet das bei {b}?"),
        (N, N): ("genau wie {b}", "so schlecht wie {b}", "und {b} antwortet auch nicht"),
        (P, N): ("anders als {b}", "tschüss {b}", "viel besser als {b}"),
        (P, P): ("und {b} auch", "danke auch an {b}"), (O, O): ("oder {b}?", "und {b}?", "wie bei {b}?"), (P, O): ("vorher war ich bei {b}",),
    },
    "italian": {
        (N, P): ("la prossima volta {b}", "{b} non lo farebbe mai", "passo a {b}", "imparate da {b}", "con {b} non succede"),
        (N, O): ("ho dovuto comprare da {b}", "ieri ero con {b}", "e {b} quanto costa?"),
        (N, N): ("come {b}", "pessimi quanto {b}", "e nemmeno {b} risponde"),
        (P, N): ("non come {b}", "addio {b}", "molto meglio di {b}"),
        (P, P): ("e anche {b}", "grazie anche a {b}"), (O, O): ("o {b}?", "e {b}?", "come {b}?"), (P, O): ("prima ero con {b}",),
    },
    "arabic": {
        (N, P): ("المرة الجاية مع {b}", "{b} أفضل منكم بكثير", "سأنتقل إلى {b}", "تعلموا من {b}"),
        (N, O): ("اضطررت للحجز مع {b}", "كنت مع {b} أمس"), (N, N): ("مثل {b}", "أنتم و{b} سواء في السوء"),
        (P, N): ("ليس مثل {b}", "أفضل بكثير من {b}"), (P, P): ("و{b} أيضا", "شكرا أيضا ل{b}"), (O, O): ("أو {b}؟", "و {b}؟"),
    },
    "hindi": {
        (N, P): ("agli baar {b}", "{b} aisa kabhi nahi karta", "{b} se kuch seekho", "ab {b} hi use karunga"),
        (N, O): ("ab {b} se book karna pada", "kal {b} mein tha"), (N, N): ("{b} jaisa hi bekar", "{b} bhi reply nahi karta"),
        (P, N): ("{b} se bahut better", "{b} jaisa nahi"), (P, P): ("aur {b} bhi", "thanks {b} ko bhi"), (O, O): ("ya {b}?", "aur {b}?"),
    },
    "thai": {
        (N, P): ("ครั้งหน้าไป {b} ดีกว่า", "{b} ไม่เคยเป็นแบบนี้", "ย้ายไป {b} แล้ว", "{b} ดีกว่าเยอะ"),
        (N, O): ("ต้องไปซื้อ {b} แทน", "เมื่อวานไป {b} มา"), (N, N): ("แย่พอกับ {b}", "{b} ก็แย่เหมือนกัน"),
        (P, N): ("ดีกว่า {b} เยอะ", "ไม่เหมือน {b}"), (P, P): ("{b} ก็ดี", "ชอบ {b} ด้วย"), (O, O): ("หรือ {b}", "แล้ว {b} ล่ะ"),
    },
    "indonesian": {
        (N, P): ("lain kali pakai {b} saja", "{b} nggak pernah begini", "pindah ke {b}", "belajar dari {b} dong"),
        (N, O): ("terpaksa beli di {b}", "kemarin pakai {b}"), (N, N): ("sama saja dengan {b}", "{b} juga parah"),
        (P, N): ("nggak kayak {b}", "jauh lebih bagus dari {b}"), (P, P): ("{b} juga bagus", "terima kasih juga {b}"), (O, O): ("atau {b}?", "kalau {b}?"),
    },
}  # fmt: skip
MARKS = ("", "", "", ".", "!", "...", " 🙏", " http", " lol", "!!")
ANGRY = (*MARKS, " 🙄", " 😡", " #fail", " smh")
JOINTS = (". ", ". ", ", ", " ", "! ", " - ", "... ", " and ", "; ")
MASKED = 0.55
"""How often the second brand is a handle: ``@user`` is all that the model sees of it."""

Made = tuple[str, tuple[int, int], int]
Post = tuple[str, tuple[int, int], int]
"""A normalised post, the span of its own brand in it, and its label toward that brand."""


def _name(rng: random.Random, own: str) -> str:
    if rng.random() < MASKED:
        return "@user"
    return rng.choice([n for n in NAMES if n not in ("@user", own)])


def _written(rng: random.Random, clause: str) -> str:
    roll = rng.random()
    return clause[0].upper() + clause[1:] if roll < 0.35 and clause[0] != "{" else clause


def compose(rng: random.Random, post: Post, clauses: Clauses, leads: Clauses) -> Made | None:
    """One post with a clause about a second brand; either of the two is marked, by chance."""
    text, (start, end), label = post
    own, other = text[start:end], _name(rng, text[start:end])
    drifts = [k for k in clauses if k[0] == label]
    if not drifts:
        return None
    # Posts that set two brands against each other are the commonest, and the hardest.
    drift = rng.choices(drifts, [2 if set(k) == {N, P} else 1 for k in drifts])[0]
    if leads and rng.random() < 0.2 and drift in leads:
        before = _written(rng, rng.choice(leads[drift]))
        head = before.replace("{b}", other)
        at, out = before.index("{b}"), f"{head} {text}"
        span = (start + len(head) + 1, end + len(head) + 1)
    elif leads and rng.random() < 0.15:
        return _together(rng, post, other)
    else:
        clause = _written(rng, rng.choice(clauses[drift]))
        body = text.rstrip(" .!") + rng.choice(JOINTS)
        if len(text.rstrip(" .!")) < end:
            return None
        at, out = len(body) + clause.index("{b}"), body + clause.replace("{b}", other)
        out, span = out + rng.choice(ANGRY if label == N else MARKS), (start, end)
    if rng.random() < 0.4 and own:
        return out, span, label
    return out, (at, at + len(other)), drift[1]


def _together(rng: random.Random, post: Post, other: str) -> Made | None:
    text, (start, end), label = post
    if start > 1 or not text[end:].strip():
        return None
    own, rest = text[start:end], text[end:].lstrip(" ,:")
    pattern = rng.choice(TOGETHER)
    which = rng.choice(("{a}", "{b}"))
    names = {"{a}": own, "{b}": other}
    out, span = "", (0, 0)
    for piece in re.split(r"(\{a\}|\{b\}|\{post\})", pattern):
        value = names.get(piece, rest if piece == "{post}" else piece)
        if piece == which:
            span = (len(out), len(out) + len(value))
        out += value
    return out, span, label


def make(
    rng: random.Random, airline: Sequence[Post], others: Mapping[str, Sequence[Post]], count: int
) -> list[Made]:
    """``count`` posts: six in ten from the airline set, two in ten English, two in ten other languages.

    Posts are drawn evenly by label, so that the other brand's label cannot be told from the mix.
    """
    pools = {"airline": _by_label(airline), **{n: _by_label(p) for n, p in others.items()}}
    foreign = [n for n in others if n != "english"]
    out: list[Made] = []
    while len(out) < count:
        roll = rng.random()
        pool = "airline" if roll < 0.6 else "english" if roll < 0.8 else rng.choice(foreign)
        label = rng.choices((N, O, P), (0.5, 0.2, 0.3))[0]
        if not pools[pool][label]:
            continue
        post = rng.choice(pools[pool][label])
        english = pool in ("airline", "english")
        made = compose(
            rng, post, ENGLISH if english else OTHERS[pool], LEADS if english else {}
        )  # fmt: skip
        if made is not None:
            out.append(made)
    return out


def _by_label(posts: Sequence[Post]) -> dict[int, list[Post]]:
    return {label: [p for p in posts if p[2] == label] for label in (N, O, P)}
