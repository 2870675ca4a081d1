"""``aot doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from aot.cli import display, progress
from aot.cli.common import lock_option, output_options, store_option
from aot.errors import AotError, ErrorId

_MARKS = {"ok": "ok      ", "warning": "warning ", "error": "error   "}


@click.command()
@click.option("--simulate", is_flag=True, help="Only what `aot build --simulate --engine local` needs is an error.")
@store_option
@lock_option
@output_options
def command(*, simulate: bool, store_path: Path, lock_path: Path, as_json: bool, verbose: bool) -> None:
    """Check this machine for what a build would trip over; changes nothing.

    Without --simulate it looks at what a real build needs: Docker, amd64, memory, disk.

    \b
    Examples:
      aot doctor
      aot doctor --simulate
    """
    import msgspec

    from aot import doctor
    from aot.compile.container import ContainerEngine

    checks = doctor.examine(ContainerEngine(progress.choose(verbose=verbose)), store_path, lock_path, simulate=simulate)
    broken = [check for check in checks if check.status == "error"]
    fields = {"ok": not broken, "checks": [msgspec.to_builtins(check) for check in checks]}
    if not as_json:
        for check in checks:
            display.say(f"{_MARKS[check.status]} {check.name}: {check.detail}")
            if check.remedy:
                display.say(f"         what to do: {check.remedy}")
    if broken:
        raise AotError(
            ErrorId.NOT_READY,
            reason=f"not ready to build: {', '.join(check.name for check in broken)}",
            remedy="; ".join(check.remedy or check.detail for check in broken),
            facts=fields,
        )
    if as_json:
        display.document(fields)
