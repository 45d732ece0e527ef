"""``python -m pdenca`` is ``pdenca``."""

from pdenca.cli import main

main()
