"""A command and the model's config.json -> a ``FingerprintRequest``, and what of the command stays outside the hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint import FingerprintRequest, reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.serve_command.command import ServeCommand


def to_request(
    command: ServeCommand,
    hf_config: Mapping[str, Any],
    detected_platform: str | None,
    env: Mapping[str, str] | None = None,
    model_path: str | None = None,
) -> FingerprintRequest:
    """The request that the command stands for.

    ``env`` holds the process's other variables, which those in the command itself override; ``model_path`` is hashed in
    place of the command's model string. Only variables that can matter are kept: the others may be secrets.
    """
    variables = {**(env or {}), **command.env}
    return FingerprintRequest(
        model_dir=command.model if model_path is None else model_path,
        hf_config=hf_config,
        engine_args=command.engine_args,
        env={name: value for name, value in variables.items() if name in reach.VARIABLES},
        detected_platform=detected_platform,
    )


def outside_the_hash(command: ServeCommand, request: FingerprintRequest, env: Mapping[str, str]) -> list[str]:
    """The flags and variables given that do not enter this request's hash, as the user knows them."""
    engine = reach.outside(request)
    flags = [f"--{name.replace('_', '-')}" for name in sorted([*engine, *command.server_flags])]
    return flags + sorted(name for name in {**env, **command.env} if name not in reach.VARIABLES)
