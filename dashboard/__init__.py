"""Shows. Reads the store through ``dashboard.data`` and nothing else; nobody imports this package."""
