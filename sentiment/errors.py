"""The one error that the sentiment room raises, so that a caller can tell its failures apart."""

from __future__ import annotations


class SentimentError(Exception):
    """A model or an input that cannot be used; the message says what was found and what to do."""
