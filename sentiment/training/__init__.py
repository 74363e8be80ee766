"""How the bundled weights were made. See README.md here; run ``python -m sentiment.training``."""
