"""Gathers, keeps and acts: collectors, matching, the store, cases, alerts, and their pipeline."""

__version__ = "0.1.0"
