"""Weak labels for the second head: complaint, question, praise, request, spam, or none of them.

They come from what the sources already say (the airline set's reasons, a support thread's opening
post) and from surface marks. They are a start, not human labels; the model card says so.
"""

# ruff: noqa: E501 - patterns read best unbroken
from __future__ import annotations

import re

INTENTS = ("complaint", "question", "praise", "request", "spam", "other")

_REQUEST = re.compile(
    r"\b(?:please|pls|plz|can (?:you|u|someone|i)|could (?:you|someone)|would you|help me|need (?:help|to|a|you)|"
    r"how (?:do|can) i|dm me|follow me so|let me know|por favor|bitte|s'il vous|per favore)\b",
    re.IGNORECASE,
)
_SPAM = re.compile(
    r"\b(?:giveaway|enter to win|win an?|follow (?:us|back|me and)|rt to|retweet to|click (?:here|the link|below)|promo code|"
    r"\d+% off|discount|subscribe|sign up|buy now|limited time|check out (?:my|our|this)|link in bio|"
    r"free (?:shipping|trial|download)|on sale|for sale|hiring|job alert|sorteo|gratis|kostenlos)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[?؟]\W*(?:@user|http|#\w+|\s)*$")
_COMPLAINT = re.compile(
    r"\b(?:worst|terrible|awful|broken|not working|doesn'?t work|won'?t|still (?:no|not|waiting)|waiting|ridiculous|"
    r"disappoint\w*|never again|refund|rude|cancel\w*|delay\w*|useless|joke|poor|fix|scam|crash\w*|horrible|unacceptable)\b",
    re.IGNORECASE,
)
_PRAISE = re.compile(
    r"\b(?:thank\w*|thx|love|great|awesome|amazing|best|kudos|shout ?out|appreciate|excellent|perfect)\b",
    re.IGNORECASE,
)


def of_airline(text: str, label: str, confidence: float) -> str | None:
    """Intent of an airline post, from its human label and the asker's marks; None is no opinion."""
    if confidence < 0.6:
        return None
    if label == "positive":
        return "praise"
    if label == "negative":
        return "complaint"
    if _REQUEST.search(text):
        return "request"
    return "question" if _QUESTION.search(text) else "other"


def of_support(text: str) -> str | None:
    """Intent of a customer's post in a support thread, from its words alone."""
    if _REQUEST.search(text):
        return "request"
    if _COMPLAINT.search(text):
        return "complaint"
    if _QUESTION.search(text):
        return "question"
    return "praise" if _PRAISE.search(text) else None


def of_post(text: str, label: str) -> str | None:
    """Intent of a labelled public post in any language."""
    if _SPAM.search(text) and ("http" in text or "#" in text) and label != "negative":
        return "spam"
    asked = bool(_QUESTION.search(text))
    if label == "neutral":
        return "question" if asked else ("request" if _REQUEST.search(text) else "other")
    if text.startswith("@user") and not asked:
        return "complaint" if label == "negative" else "praise"
    return None
