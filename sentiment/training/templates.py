"""Comparisons written by us: two brands in one post, and how the post feels about each.

Two posts set one after the other teach which half to listen to, but not "A is better than B". These
templates do. ``{a}`` and ``{b}`` are the brands; each line gives the label toward a and toward b. They
were written before the two-brand test posts were read.
"""

# ruff: noqa: E501 - lists read best unbroken
from __future__ import annotations

import random

N, O, P = 0, 1, 2  # noqa: E741 - negative, neutral, positive, in one letter each

ENGLISH: tuple[tuple[str, int, int], ...] = (
    ("{a} is so much better than {b}", P, N),
    ("{a} is way worse than {b}", N, P),
    ("I'll take {a} over {b} any day", P, N),
    ("switching from {a} to {b}. Done.", N, P),
    ("just switched from {a} to {b} and I couldn't be happier", N, P),
    ("I should have gone with {a} instead of {b}", P, N),
    ("should've chosen {a}. {b} is a joke", P, N),
    ("{a} never does this to me. {b} you are terrible", P, N),
    ("{a} would never treat its customers like {b} does", P, N),
    ("love my new {a}, unlike the {b} it replaced", P, N),
    ("unlike {a}, {b} actually answers its customers", N, P),
    ("unlike {a}, {b} can't get anything right", P, N),
    ("{a} please learn from {b}", N, P),
    ("{a} take notes from {b}, that's how customer service is done", N, P),
    ("hey {a}, {b} does this for free. Just saying.", N, P),
    ("{a} lost a customer today. Hello {b}!", N, P),
    ("goodbye {a}, hello {b}", N, P),
    ("never {a} again, next time it's {b}", N, P),
    ("next time I will use {a}. {b} lost my bag and my patience", P, N),
    ("{a} made me miss my connection, {b} saved the day", N, P),
    ("thanks {a} for fixing what {b} broke", P, N),
    ("thank you {a}! {b} could not be bothered to help", P, N),
    ("huge thanks to {a} and {b} for the help today", P, P),
    ("both {a} and {b} were great", P, P),
    ("big fan of {a} and {b}", P, P),
    ("{a} and {b} are both awful", N, N),
    ("{a} or {b}, doesn't matter, they are all terrible", N, N),
    ("{a} and {b} both cancelled on me today, unbelievable", N, N),
    ("not flying {a} or {b} ever again", N, N),
    ("{a} is just as bad as {b}", N, N),
    ("{a} is as good as {b}", P, P),
    ("{a} vs {b}: which one should I pick?", O, O),
    ("{a} and {b} announce new partnership http", O, O),
    ("{a} earnings beat {b} this quarter http", O, O),
    ("does {a} match prices with {b}?", O, O),
    ("can I use my {a} points with {b}?", O, O),
    ("I have a {a} and a {b}", O, O),
    ("flying {a} to Dallas then {b} to Austin", O, O),
    ("{a} booked me on {b}", O, O),
    ("{a} got me rebooked on {b}, thank you so much", P, O),
    ("{a} cancelled so now I have to buy a ticket with {b}", N, O),
    ("{a} keeps me on hold for two hours, now on {b}", N, O),
    ("{a} is the worst. Looking at {b} prices now", N, O),
    ("{a} put me on a {b} plane and I missed everything. Awful.", N, O),
    ("why can't {a} be more like {b}?", N, P),
    ("I miss {a}. {b} is nothing like it", P, N),
    ("{a} has wifi and snacks, {b} has neither", P, N),
    ("{a} gives free bags while {b} charges for water", P, N),
    ("wish {a} flew here so I wouldn't need {b}", P, N),
    ("stuck with {a} because {b} doesn't go there", N, O),
    ("my {a} order arrived early and my {b} order is still lost", P, N),
    ("{b} > {a}", N, P),
    ("{a} >>>> {b}", P, N),
    ("{a} > {b} all day", P, N),
    ("not even {a} is this bad, {b}", O, N),
    ("even {a} is better than you {b}", O, N),
    ("loyal {a} customer for years but {b} won me over", O, P),
    ("{a} broke, bought a {b}, loving it", N, P),
    ("my friend told me to try {a} instead of {b}", O, O),
    ("{a} replied in 5 minutes. {b}? Still waiting", P, N),
    ("shout out to {a}, and shame on {b}", P, N),
    ("kudos {a}. {b} take note", P, N),
    ("if {a} doesn't fix this I'm going to {b}", N, P),
    ("fed up with {a}. {b} here I come", N, P),
    ("{a} sucks, {b} rocks", N, P),
    ("{a} is the best, {b} is the worst", P, N),
    ("{a} makes {b} look amazing", N, O),
    ("{a} makes {b} look like amateurs", P, N),
    ("tried {a} today, it's fine. {b} still my favourite", O, P),
    ("why fly {a} when there is {b}", N, P),
    ("ok {a}, you win. {b} you had your chance", P, N),
    ("{a} merging with {b} is the worst thing that ever happened", N, N),
    ("ever since {a} merged with {b} the service has been terrible", N, N),
)
OTHER: tuple[tuple[str, int, int], ...] = (
    ("{a} es mucho mejor que {b}", P, N),
    ("nunca más {a}, la próxima vez {b}", N, P),
    ("{a} es tan malo como {b}", N, N),
    ("gracias {a}, no como {b} que ni contesta", P, N),
    ("{a} ist viel besser als {b}", P, N),
    ("nie wieder {a}, nächstes Mal {b}", N, P),
    ("danke {a}, im Gegensatz zu {b} funktioniert hier alles", P, N),
    ("{a} est bien meilleur que {b}", P, N),
    ("plus jamais {a}, je passe chez {b}", N, P),
    ("merci {a}, contrairement à {b} vous répondez", P, N),
    ("{a} è molto meglio di {b}", P, N),
    ("mai più {a}, la prossima volta {b}", N, P),
    ("{a} é muito melhor que {b}", P, N),
    ("nunca mais {a}, da próxima vou de {b}", N, P),
    ("{a} أفضل بكثير من {b}", P, N),
    ("{a} أسوأ من {b}", N, P),
    ("{a} bohot better hai {b} se", P, N),
    ("{a} se {b} accha hai", N, P),
    ("{a} ดีกว่า {b} มาก", P, N),
    ("{a} แย่กว่า {b}", N, P),
    ("{a} jauh lebih bagus dari {b}", P, N),
    ("kapok pakai {a}, pindah ke {b} saja", N, P),
)
NAMES = (
    "@user", "@user", "@user", "@user", "Acme", "Nokia", "Pixel", "United", "Delta", "Zara", "Nike", "Adidas", "Pepsi",
    "Coke", "Vodafone", "Uber", "Lyft", "Samsung", "iPhone", "Southwest", "JetBlue", "Virgin", "American",
    "Spotify", "Netflix", "Globex", "Initech", "Amazon", "Hertz", "Sony", "Xbox", "PS4", "Toyota", "Tesla",
)  # fmt: skip
LEADS = (
    "",
    "",
    "",
    "",
    "@user ",
    "ok so ",
    "honestly ",
    "Lol ",
    "wow. ",
    "Well, ",
    "Seriously: ",
    "fyi ",
)
TAILS = (
    "",
    "",
    "",
    "",
    ".",
    "!",
    " 😡",
    " 🙄",
    " #fail",
    " lol",
    "...",
    " http",
    " 👏",
    " #justsaying",
    "!!!",
)


def make(rng: random.Random, count: int) -> list[tuple[str, tuple[int, int], int]]:
    """Return ``count`` posts, each with the span of the marked brand and the label toward it."""
    out = []
    for _ in range(count):
        pattern, toward_a, toward_b = rng.choice(ENGLISH if rng.random() < 0.75 else OTHER)
        a, b = rng.sample(NAMES, 2)
        first = pattern.index("{a}") < pattern.index("{b}")
        text = rng.choice(LEADS) + pattern + rng.choice(TAILS)
        if rng.random() < 0.3:
            text = text[0].upper() + text[1:]
        want_a = rng.random() < 0.5
        left, right = ("{a}", "{b}") if first else ("{b}", "{a}")
        head, rest = text.split(left, 1)
        middle, tail = rest.split(right, 1)
        one, two = (a, b) if first else (b, a)
        start = len(head) if want_a == first else len(head) + len(one) + len(middle)
        name = a if want_a else b
        out.append(
            (
                head + one + middle + two + tail,
                (start, start + len(name)),
                toward_a if want_a else toward_b,
            )
        )
    return out
