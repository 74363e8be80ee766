"""``python -m listener.cli``: the ``groundswell`` command."""

from listener.cli import main

main()
