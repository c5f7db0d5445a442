"""``python -m lexifuse`` is the same as the command ``lexifuse``."""

from lexifuse.cli import main

main()
