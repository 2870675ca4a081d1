"""``aot verify``."""

from __future__ import annotations

from pathlib import Path

import click

from aot import units
from aot.cli import display
from aot.cli.common import json_option, store_option
from aot.errors import AotError, ErrorId


@click.command()
@click.argument("artifact", required=False)
@store_option
@json_option
def command(*, artifact: str | None, store_path: Path, as_json: bool) -> None:
    """Check every digest of ARTIFACT, or of everything in the store.

    ARTIFACT is a tag, a key, a digest or its beginning, oci:STORE:TAG, or STORE@sha256:....

    \b
    Examples:
      aot verify
      aot verify sha256:1f2e3d... --store ./store
    """
    import msgspec

    from aot.check import verify
    from aot.storage.local import LocalStore
    from aot.storage.reference import parse_reference

    if artifact:
        reference = parse_reference(artifact, store_path)
        result = verify.verify(LocalStore(reference.store).open(), reference.name)
    else:
        result = verify.verify_store(LocalStore(store_path).open())
    if not result.ok:
        raise AotError(
            ErrorId.ARTIFACT_DAMAGED,
            reason="; ".join(finding.reason for finding in result.findings if finding.severity == "error"),
            remedy=next(finding.remedy for finding in result.findings if finding.severity == "error"),
            facts={"verification": msgspec.to_builtins(result)},
        )
    if as_json:
        display.document(msgspec.to_builtins(result))
        return
    for finding in result.findings:
        display.say(f"{finding.severity}: {finding.reason}\n  {finding.remedy}", err=True)
    count = len(result.artifacts)
    display.say(f"{count} artifact{'' if count == 1 else 's'}, {result.blobs} blobs, {units.size(result.bytes)}: whole")
