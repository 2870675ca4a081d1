"""The part of aot that runs INSIDE the compiler image: build the config as serving does, hash it, compile it.

Standard library and the image's own packages only; nothing from the rest of ``aot`` is imported, and everything here
is imported relatively, so that a copy of this directory works as the package ``aot_runner``. The host and the runner
meet in files and JSON: ``job.json`` in, JSON Lines events on stdout, ``result.json`` out. Syntax stays at Python 3.10.
"""

SCHEMA_VERSION = 1
