"""``python -m callspool.cli``: how callspool starts its own worker."""

from callspool.cli import main

main()
