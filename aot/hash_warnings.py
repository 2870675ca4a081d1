"""Inputs that change the serve-time hash without saying so. Pure: from a request to sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aot.fingerprint import FingerprintRequest

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_OVERRIDE = "NEURON_PLATFORM_TARGET_OVERRIDE"


def of(request: FingerprintRequest, profile: Mapping[str, Any] | None = None) -> list[str]:
    """What to look out for, most surprising first. ``profile`` is the toolchain's, for the defaults it knows."""
    return [
        *of_path(request.model_dir),
        *_of_config(request.hf_config, profile),
        *_of_lengths(request.engine_args),
        *_of_defaults(request, profile),
        *_of_override(request, profile),
    ]


def of_path(path: str) -> list[str]:
    """Spellings of the model's path that a pod is unlikely to repeat by chance."""
    segments = path.split("/")
    odd = [
        name
        for name, found in (
            ("a trailing slash", path.endswith("/") and path != "/"),
            ("'//'", "//" in path),
            ("'.' or '..'", bool({".", ".."} & set(segments))),
        )
        if found
    ]
    sentences = []
    if odd:
        sentences.append(
            f"the model path {path} contains {' and '.join(odd)}: the string is hashed as it stands, so the pod must "
            "be given exactly the same spelling"
        )
    if not path.startswith("/"):
        sentences.append(_not_absolute(path))
    return sentences


def _not_absolute(path: str) -> str:
    if _HUB_ID.fullmatch(path):
        return (
            f"the model {path} is hashed as it stands, as a hub id (with HF_HUB_OFFLINE=1 as the path of its snapshot "
            "instead): a pod that is given the path of a directory computes another hash"
        )
    return (
        f"the model path {path} is relative: the string is hashed as it stands, and names another directory wherever "
        "the server starts elsewhere"
    )


def _of_config(config: Mapping[str, Any], profile: Mapping[str, Any] | None) -> Iterator[str]:
    if config.get("transformers_version") is None:
        installed = f" ({profile['transformers']['version']})" if profile else ""
        yield (
            "config.json has no transformers_version: the release installed in the image is hashed in its "
            f"place{installed}, and another image changes the hash"
        )


def _of_lengths(arguments: Mapping[str, Any]) -> Iterator[str]:
    """The plugin's floor and NxDI's ceiling of length / block differ where the length is no multiple."""
    block = arguments.get("block_size")
    if arguments.get("enable_prefix_caching") is False or not isinstance(block, int) or block < 1:
        return
    additional = arguments.get("additional_config")
    prompt = additional.get("max_prompt_length") if isinstance(additional, dict) else None
    for name, length in (("--max-model-len", arguments.get("max_model_len")), ("max_prompt_length", prompt)):
        if isinstance(length, int) and length % block:
            yield (
                f"{name} {length} is no multiple of --block-size {block}: with prefix caching the number of blocks is "
                "rounded down in one place and up in another, which the server refuses unless "
                "--num-gpu-blocks-override is given"
            )


def _of_defaults(request: FingerprintRequest, profile: Mapping[str, Any] | None) -> Iterator[str]:
    given = {name for name, value in request.engine_args.items() if value is not None}
    if "enable_prefix_caching" not in given:
        block = "" if "block_size" in given else ", and then refuses to start without --block-size"
        yield f"--enable-prefix-caching is not given: vLLM turns it on{block}; --no-enable-prefix-caching turns it off"
    if "max_num_seqs" not in given:
        count = profile["engine"]["default_max_num_seqs"][request.usage_context] if profile else 256
        yield f"--max-num-seqs is not given: vLLM fills in {count}"
    if "tensor_parallel_size" not in given:
        yield "--tensor-parallel-size is not given: vLLM fills in 1"
    if request.engine_args.get("dtype", "auto") == "auto":
        yield "--dtype is not given: it follows torch_dtype in config.json, with bfloat16 for float32 or none"


def _of_override(request: FingerprintRequest, profile: Mapping[str, Any] | None) -> Iterator[str]:
    override = request.env.get(_OVERRIDE)
    if override and profile and profile["behaviour"]["hardware_enum_custom_member"] and override.startswith("inf"):
        yield (
            f"{_OVERRIDE}={override} is not the same as a detected {override} on this release: with attention data "
            "parallelism and cascaded attention the hash differs"
        )
