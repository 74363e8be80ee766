"""Comparisons written by us: two brands in one post, and how the post feels about each.

Two posts set one after the other teach which half to listen to, but not "A is better than B". These
templates do. ``{a}`` and ``{b}`` are the brands; each line gives the label toward a and toward b; ``{c}``
is a complaint about a, ``{d}`` a praise of it. ENGLISH and OTHER were written before the two-brand test
posts were read; SPOKEN, and all of compose.py, after those of even rows had been read: the odd rows judge.
``comparisons.tsv`` holds some 1,800 more, from many trades, written without a look at any of them.
"""

# ruff: noqa: E501 - lists read best unbroken
from __future__ import annotations

import random
from functools import cache
from pathlib import Path

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
SPOKEN: tuple[tuple[str, int, int], ...] = (
    # Said to {a}; what is felt toward it often shows only in what is said of {b}.
    ("{a} this is why I fly {b}", N, P),
    ("{a} this is exactly why everybody uses {b}", N, P),
    ("{a} thanks for reminding me how good {b} is", N, P),
    ("{a} thank you for making me appreciate {b}", N, P),
    ("{a} {c}. {b} it is then", N, P),
    ("{a} {c}. {b} would have me home by now", N, P),
    ("{a} {c}. Did you know {b} does this in two minutes?", N, P),
    ("{a} {c} but {b} had no problem", N, P),
    ("{a} {c}, yet somehow {b} is right on time", N, P),
    ("{a} {c}. Meanwhile {b} keeps its word", N, P),
    ("{a} {c}. I'm a {b} person from now on", N, P),
    ("{a} {c}. I'd expect that, but not after years with {b}", N, P),
    ("{a} {c}. You could learn a thing or two from {b}", N, P),
    ("{a} {c}. Even my grandma told me to go with {b}", N, P),
    ("{a} {c}. {b} please take me back", N, P),
    ("{a} {c}. Time to see what {b} can do for me", N, P),
    ("{a} {c}. Time to give {b} a try", N, P),
    ("{a} {c}. Guess who's getting my money next time? {b}", N, P),
    ("{a} why can {b} do it and you can't? {c}", N, P),
    ("{a} how come {b} is open and you are not", N, P),
    ("{a} if only you had the people that {b} has", N, P),
    ("{a} {b} is eating your lunch", N, P),
    ("{a} everyone is moving over to {b} and you don't seem to care", N, P),
    ("{a} {b} gives me that for free", N, P),
    ("{a} glad I'm on {b} today", N, P),
    ("{a} so happy I chose {b} this time", N, P),
    ("{a} no worries, {b} took care of me", N, P),
    ("{a} too late, {b} already sorted me out. Great people", N, P),
    ("{a} you lost me. {b} got me", N, P),
    ("{a} I'll stick with {b}, thanks", N, P),
    ("{a} I used to love you more than {b}. {c}", N, O),
    ("{a} {c}. Had to get a seat on {b}", N, O),
    ("{a} {c} so I had to pay {b} $350 to get home", N, O),
    ("{a} {c} and I missed my {b} connection", N, O),
    ("{a} {c}. Can you put me on {b}?", N, O),
    ("{a} {c}. Please send my bag over to {b}", N, O),
    ("{a} {c} and now I'm in the {b} line", N, O),
    ("{a} {c}. cc {b}", N, O),
    ("{a} {c}. I'm about to write to {b}", N, O),
    ("{a} {c}. I left {b} for this", N, P),
    ("{a} {c}. I was with {b} before and never had to wait", N, P),
    ("{a} {c}. {b} is just the same", N, N),
    ("{a} {c}. You're the new {b}", N, N),
    ("{a} {c}. {b} did that to me too", N, N),
    ("{a} {c}. And I thought {b} was bad", N, N),
    ("{a} {c}. Please don't make me go back to {b}", N, N),
    ("{a} you have officially become {b}", N, N),
    ("{a} {b} {c}", N, N),
    ("{b} {a} {c}", N, N),
    ("{a} & {b}: {c}", N, N),
    ("hey {a} and {b}, {c}", N, N),
    ("{a} or {b}, somebody answer! {c}", N, N),
    ("{a} {b} which one of you is going to fix this? {c}", N, N),
    ("{a} {d}. {b} never would", P, N),
    ("{a} {d}. After what {b} did to me I needed that", P, N),
    ("{a} {d}. {b} made me wait for hours", P, N),
    ("{a} {d}. {b} lost me for good", P, N),
    ("{a} {d} while {b} cancelled everything", P, N),
    ("{a} please come to my town and put {b} out of business", P, N),
    ("{a} I'd rather walk than take {b}. Glad you exist", P, N),
    ("{a} I just dealt with {b} and I appreciate you so much more", P, N),
    ("{a} {b} could learn so much from you", P, N),
    ("{a} {d}. So is {b}", P, P),
    ("{a} {b} {d}", P, P),
    ("{a} and {b}, {d}", P, P),
    ("{a} {d}. On to {b} now", P, O),
    ("{a} {d}. Can I keep my {b} number?", P, O),
    ("{a} {d}! You moved me to {b} and it all worked out", P, O),
    ("{a} thank you for the {b} seat", P, O),
    ("{a} do you have the thing that {b} has?", O, O),
    ("{a} does your card work with {b}?", O, O),
    ("{a} where do I put my {b} number?", O, O),
    ("{a} I have a transfer from {b}, which terminal?", O, O),
    ("{a} {b} http", O, O),
    ("{a} beats {b} in sales, says report http", O, O),
    ("{a} takes on {b} http", O, O),
    ("{a} and {b} cancel flights ahead of the storm http", O, O),
    ("{a} is {b} part of your group?", O, O),
    ("{a} I'm with {b} but thinking of moving over. What do you offer?", O, O),
    ("{a} will you match my status from {b}?", O, O),
    ("{a} would love to use you but only {b} comes here :(", P, N),
    ("{a} when will you come to us? I'm forced to use {b}", O, N),
)
COMPLAINTS = (
    "still on hold after two hours",
    "my bag is lost again",
    "nobody answers",
    "you cancelled on me twice",
    "worst service ever",
    "you charged me twice",
    "your app is down again",
    "the line was cut off three times",
    "we have been sitting here for an hour",
    "your staff was so rude",
    "this is ridiculous",
    "no help at all",
    "third delay this week",
    "I want my money back",
    "how is this acceptable",
    "my order never came",
    "nothing works",
    "so disappointed",
    "you ruined our trip",
    "you gave my seat away",
    "still no refund",
    "I've been waiting since Monday",
    "the website keeps crashing",
    "what a joke",
    "terrible experience",
    "you promised and you lied",
    "no wifi, no food, no apology",
    "I will miss my sister's wedding",
    "your prices went up for nothing",
    "get it together",
    "I'm done",
    "unbelievable",
    "really not happy",
)
PRAISES = (
    "thank you so much",
    "you guys are the best",
    "that was quick, thanks",
    "great crew today",
    "what a lovely flight",
    "you saved our holiday",
    "amazing service",
    "you rock",
    "best support I've had",
    "so impressed",
    "thanks for getting me home",
    "love the new app",
    "smooth as always",
    "your agent was wonderful",
    "I'm a happy customer",
    "well done",
    "really appreciate the help",
    "the kids loved it",
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


COMPARISONS = Path(__file__).with_name("comparisons.tsv")


@cache
def comparisons() -> tuple[tuple[str, int, int], ...]:
    """``comparisons.tsv``: a pattern and the labels toward a and b a line."""
    codes = {"n": N, "o": O, "p": P}
    lines = COMPARISONS.read_text(encoding="utf-8").splitlines()[1:]
    return tuple((p, codes[a], codes[b]) for p, a, b in (line.split("\t") for line in lines))


def make(rng: random.Random, count: int) -> list[tuple[str, tuple[int, int], int]]:
    """Return ``count`` posts, each with the span of the marked brand and the label toward it."""
    out = []
    shares = (0.1, 0.14, 0.08, 0.68)
    for _ in range(count):
        lists = rng.choices((ENGLISH, SPOKEN, OTHER, comparisons()), shares)[0]
        pattern, toward_a, toward_b = rng.choice(lists)
        pattern = pattern.replace("{c}", rng.choice(COMPLAINTS)).replace("{d}", rng.choice(PRAISES))
        a, b = rng.sample(NAMES, 2)
        if lists is SPOKEN or lists is comparisons():  # mostly said to a handle, of either
            a = a if rng.random() < 0.3 else "@user"
            b = b if rng.random() < 0.6 and b != a else "@user"
        first = pattern.index("{a}") < pattern.index("{b}")
        text = pattern
        if lists is not comparisons():  # those are posts as they stand
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
