"""Helm values from an artifact: the image, the artifact, and the command the server must be started with.

Everything comes from the artifact's record. A server started with other flags than these would look for another
artifact, find none and compile for tens of minutes, or load this one for a configuration it was not built for.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from aot.artifact.record import Record
from aot.deploy.repository import check_repository
from aot.errors import AotError, ErrorId

DEFAULT_MOUNT = "/artifact"


def values(
    facts: Record,
    digest: str,
    repository: str | None,
    *,
    allow_simulated: bool = False,
    artifact_path_variable: str | None = None,
    empties_hash_directory: bool = True,
    mount: str = DEFAULT_MOUNT,
) -> dict[str, Any]:
    """The values document, in the order a person reads it.

    ``repository`` is where the cluster will pull the artifact from (host and path), ``digest`` that of its manifest;
    the two flags are the toolchain's behaviour (``aot.toolchain.Behaviour``); ``mount`` is where the chart puts the
    artifact, read-only, unless the release insists on the hash directory. Raises ``SIMULATED_REFUSED``,
    ``REFERENCE_REQUIRED``, ``NOT_COVERED`` and ``USAGE``.
    """
    if facts.simulated and not allow_simulated:
        raise _simulated()
    if repository is None:
        raise _no_repository()
    repository = check_repository(repository)
    mount, loading = _loading(facts, artifact_path_variable, mount, empties_hash_directory=empties_hash_directory)
    return {
        "image": _image(facts),
        "artifact": {
            "reference": f"{repository}@{digest}",
            "digest": digest,
            "key": facts.key,
            "fingerprint": facts.fingerprint.found,
            "mountPath": mount,
        },
        "model": {"id": facts.model.id, "revision": facts.model.commit, "path": facts.serving.model_path},
        "serve": {
            "command": ["vllm", "serve"],
            "args": _arguments(facts),
            "env": [{"name": name, "value": text} for name, text in _environment(facts, loading).items()],
        },
        "eos": {"stopIds": list(facts.eos.stop_ids)},
        "target": facts.platform.target,
        "tensorParallelSize": facts.request.options.tensor_parallel_size,
        "simulated": facts.simulated,
    }


def _image(facts: Record) -> dict[str, str | None]:
    """The image that compiled also serves: another release would hash, and compile, something else."""
    if facts.toolchain.digest is None and not facts.simulated:
        raise AotError(
            ErrorId.REFERENCE_REQUIRED,
            reason=f"the record does not say which digest of {facts.toolchain.image} compiled this artifact",
            remedy="run `aot toolchain lock`, then build again; values name an image by its digest only",
        )
    name, _, tag = facts.toolchain.image.rpartition(":")
    if not name or "/" in tag:
        name, tag = facts.toolchain.image, ""
    return {"repository": name, "tag": tag or None, "digest": facts.toolchain.digest}


def _loading(
    facts: Record, variable: str | None, mount: str, *, empties_hash_directory: bool
) -> tuple[str, dict[str, str]]:
    """Where to mount the artifact and which variable leads the server to it.

    Releases that empty the hash directory just before loading (vllm-neuron 0.2 to 0.5,
    ``neuronx_distributed_model_loader.py``) destroy what lies there, so the variable is the way on them. Where the
    directory survives it is the better way: the server then checks the hash itself.
    """
    if not empties_hash_directory:
        path = PurePosixPath(facts.serving.model_path) / "neuron-compiled-artifacts" / facts.fingerprint.found
        return str(path), {}
    if variable is None:
        raise AotError(
            ErrorId.NOT_COVERED,
            reason=f"toolchain {facts.toolchain.name} empties the hash directory and knows no variable to go round it",
            remedy="build with another toolchain, see `aot toolchain list`",
        )
    return mount, {variable: f"{mount}/compiled"}


def _arguments(facts: Record) -> list[str]:
    """Arguments of ``vllm serve``: model path and flags as hashed, then what does not enter the hash."""
    arguments = [facts.serving.model_path, *facts.serving.flags]
    if facts.request.trust_remote_code and "--trust-remote-code" not in arguments:
        arguments.append("--trust-remote-code")
    # Clients ask for the model's id; without this the server only answers to its path.
    return [*arguments, "--served-model-name", facts.model.id]


def _environment(facts: Record, loading: dict[str, str]) -> dict[str, str]:
    return dict(sorted({**facts.serving.environment, **loading}.items()))


def _simulated() -> AotError:
    return AotError(
        ErrorId.SIMULATED_REFUSED,
        reason="this artifact was built by the simulator: no Neuron device can run it",
        remedy="build without --simulate; to look at the values all the same, pass --allow-simulated",
    )


def _no_repository() -> AotError:
    return AotError(
        ErrorId.REFERENCE_REQUIRED,
        reason="values need a reference that a cluster can pull, and the artifact only lies in a local store",
        remedy="name the repository it is pushed to, for example --repository registry.example.com/team/qwen3-8b",
    )
