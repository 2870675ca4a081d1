"""Values as YAML: the same bytes for the same artifact, with a header that says what they are."""

from __future__ import annotations

from typing import Any

import yaml

from aot.artifact.record import Record

_WIDE = 1 << 20


def render(document: dict[str, Any], facts: Record) -> str:
    """The document of ``values`` as a YAML file for ``helm install -f``."""
    options = facts.request.options
    lines = [
        f"Values for serving {facts.model.id} on {facts.platform.target}, written by `aot values`.",
        f"Tensor parallel {options.tensor_parallel_size}, length {options.max_model_len}, "
        f"sequences {options.max_num_seqs}; toolchain {facts.toolchain.name}.",
        "Do not change serve.args or serve.env: they are what the artifact was compiled for.",
    ]
    if facts.simulated:
        lines.append("SIMULATED: no Neuron device can run this artifact, and no image digest is known.")
    lines += [f"Built with the remedy {remedy.id} for {remedy.error}." for remedy in facts.remedies]
    header = "".join(f"# {_printable(line)}\n" for line in lines)
    return header + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=_WIDE)


def _printable(line: str) -> str:
    """A comment: one line, without control characters, which YAML does not allow in one."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(line.split()))
