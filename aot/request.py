"""What the user asks for, in vLLM's own flag names."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

Target = Literal["inf2", "trn1", "trn2"]
TARGETS: tuple[Target, ...] = ("inf2", "trn1", "trn2")


class ServeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """The serve flags that can enter the fingerprint; field names are those of vLLM's ``EngineArgs``.

    ``None`` means "not given". A plan holds options where every field that can enter the hash is explicit
    (``explicit.spell_out``).
    """

    tensor_parallel_size: int | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    dtype: str | None = None
    block_size: int | None = None
    enable_prefix_caching: bool | None = None
    enable_chunked_prefill: bool | None = None
    num_gpu_blocks_override: int | None = None
    additional_config: dict[str, Any] | None = None

    def engine_args(self) -> dict[str, Any]:
        """The given options as keyword arguments of ``EngineArgs`` (absent key = flag not given)."""
        values = msgspec.structs.asdict(self)
        return {name: value for name, value in values.items() if value is not None}

    def serve_flags(self) -> list[str]:
        """The given options as arguments of ``vllm serve`` 0.13, in field order, JSON with sorted keys."""
        flags: list[str] = []
        for name, value in self.engine_args().items():
            flag = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                flags.append(flag if value else "--no-" + flag[2:])
            elif isinstance(value, dict):
                flags += [flag, json.dumps(value, sort_keys=True, separators=(",", ":"))]
            else:
                flags += [flag, str(value)]
        return flags


class BuildRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cell of the matrix: a model, a target, serve options.

    ``model`` is a hub id or a local directory; ``path`` is where the serving pod will see it (``/models/<org>/<name>``
    unless given), verbatim, because the string itself is hashed.
    """

    model: str
    target: Target = "inf2"
    options: ServeOptions = ServeOptions()
    revision: str | None = None
    path: str | None = None
    toolchain: str | None = None
    simulate: bool = False
    trust_remote_code: bool = False
    with_weights: bool = False
    logical_nc_config: int | None = None
    compiler_flags: str | None = None
    remedies: bool = True

    def environment(self) -> dict[str, str]:
        """Variables that must be equal when building and when serving (domain: ``NEURON_LOGICAL_NC_CONFIG``)."""
        return {} if self.logical_nc_config is None else {"NEURON_LOGICAL_NC_CONFIG": str(self.logical_nc_config)}
