"""``aot values``."""

from __future__ import annotations

from pathlib import Path

import click

from aot.cli import display
from aot.cli.common import json_option, store_option


@click.command()
@click.argument("artifact")
@click.option("--repository", metavar="REPO", help="Where the cluster pulls the artifact: registry/path, no tag.")
@click.option("--allow-simulated", is_flag=True, help="Print values for an artifact that no device can run.")
@store_option
@json_option
def command(
    *,
    artifact: str,
    repository: str | None,
    allow_simulated: bool,
    store_path: Path,
    as_json: bool,
) -> None:
    """Print the Helm values that serve ARTIFACT: digests, exact flags, variables.

    ARTIFACT is a tag, a key, a digest or its beginning, oci:STORE:TAG, or STORE@sha256:....

    \b
    Examples:
      aot values sha256:1f2e... --repository registry.example.com/models/qwen3-8b > values.yaml
      helm install qwen3 helm/vllm-neuron -f values.yaml
    """
    from aot import toolchain
    from aot.deploy import render, values
    from aot.storage.local import LocalStore
    from aot.storage.reference import parse_reference

    reference = parse_reference(artifact, store_path)
    stored = LocalStore(reference.store).open().resolve(reference.name)
    behaviour = toolchain.load(stored.record.toolchain.name).behaviour
    document = values.values(
        stored.record,
        stored.digest,
        repository,
        allow_simulated=allow_simulated,
        artifact_path_variable=behaviour.artifact_path_variable,
        empties_hash_directory=behaviour.empties_hash_directory,
    )
    if as_json:
        display.document({"values": document})
    else:
        click.echo(render.render(document, stored.record), nl=False)  # data: kept as it is, to the letter
