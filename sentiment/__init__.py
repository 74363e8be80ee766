"""Judges: text and numbers in, judgement out. No database, no network, nothing of ours inside."""
