"""``aot list``."""

from __future__ import annotations

from pathlib import Path

import click

from aot import units
from aot.cli import display
from aot.cli.common import json_option, store_option


@click.command("list")
@store_option
@json_option
def command(*, store_path: Path, as_json: bool) -> None:
    """List the artifacts in a store, newest first.

    \b
    Examples:
      aot list
      aot list --store ./store --json
    """
    import msgspec

    from aot.storage.local import LocalStore

    rows = LocalStore(store_path).open().list()
    if as_json:
        display.document({"store": str(store_path), "artifacts": [msgspec.to_builtins(row) for row in rows]})
        return
    if not rows:
        display.say(f"no artifacts in {store_path}", err=True)
        return
    display.table(
        ["DIGEST", "MODEL", "TARGET", "TP", "LENGTH", "SEQS", "TOOLCHAIN", "FINGERPRINT", "SIZE", "NOTE"],
        [
            [
                row.digest.removeprefix("sha256:")[:12],
                row.model or "?",
                row.target or "?",
                str(row.tensor_parallel_size or "?"),
                str(row.max_model_len or "?"),
                str(row.max_num_seqs or "?"),
                row.toolchain or "?",
                (row.fingerprint or "?")[:12],
                units.size(row.size or 0),
                f"DAMAGED: {row.damaged}" if row.damaged else "SIMULATED" if row.simulated else "",
            ]
            for row in rows
        ],
    )
