"""Gathers, keeps and acts: collectors, the store, matching, cases, alerts and the pipeline that composes them."""

__version__ = "0.1.0"
