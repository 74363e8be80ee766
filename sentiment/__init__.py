"""Judges: text and numbers in, judgement out. No database, no network, and nothing of ours is imported here."""
