"""``python -m aot``."""

from aot.cli.main import main

main()
