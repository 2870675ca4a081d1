"""Options that several verbs share, spelled as vLLM spells them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aot import compiler_flags
from aot.errors import AotError, ErrorId
from aot.request import TARGETS, BuildRequest, ServeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AOT_REGISTRY_TOKEN")
SHORTEST_TOKEN = 8
"""Characters; a placeholder like "x" would be found in any text."""
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def human_int(text: str) -> int:
    """``2048``, ``8k`` (8000), ``8K`` (8192), ``1.5m``.

    Mirrors vLLM 0.13 ``engine/arg_utils.human_readable_int``: lower case is decimal, upper case binary, and only
    decimal suffixes take a fraction. Raises click's usage error.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kKmMgGtT]?)", text.strip())
    number, suffix = match.groups() if match else ("", "")
    if suffix in _DECIMAL:
        return int(float(number) * _DECIMAL[suffix])
    if number.isdigit():
        return int(number) * _BINARY.get(suffix, 1)
    raise click.BadParameter(
        f"{text!r} is not a length: give digits, optionally with k, m, g, t (powers of 1024: K, M, G, T)"
    )


def serve_options(function: F) -> F:
    """The serve flags that can enter the fingerprint."""
    options = [
        click.option("--tensor-parallel-size", "-tp", type=click.IntRange(min=1), help="Cores to shard over."),
        click.option(
            "--max-model-len", type=human_int, metavar="INTEGER", help="Sequence length (8k is 8000, 8K is 8192)."
        ),
        click.option("--max-num-seqs", type=click.IntRange(min=1), help="Sequences in a batch."),
        click.option(
            "--dtype",
            type=click.Choice(["auto", "bfloat16", "float16", "float32", "half", "float"]),
            help="Type of weights and activations.",
        ),
        click.option(
            "--block-size",
            type=click.Choice(["1", "8", "16", "32", "64", "128", "256"]),
            help="KV cache block; matters with prefix caching only.",
        ),
        click.option(
            "--enable-prefix-caching/--no-enable-prefix-caching", default=None, help="Reuse KV cache between requests."
        ),
        click.option("--enable-chunked-prefill/--no-enable-chunked-prefill", default=None, help="Split long prompts."),
        click.option("--num-gpu-blocks-override", type=click.IntRange(min=1), help="KV cache blocks."),
        click.option("--additional-config", metavar="JSON", help="e.g. '{\"override_neuron_config\": {...}}'."),
        click.option("--speculative-config", hidden=True, help="Not covered yet; refused."),
        click.option("--enable-lora/--no-enable-lora", default=False, hidden=True, help="Not covered yet; refused."),
    ]
    return _apply(function, options)


def model_options(function: F) -> F:
    """Which model, for which device, with which toolchain."""
    options = [
        click.argument("model"),
        click.option("--target", type=click.Choice(TARGETS), default="inf2", show_default=True, help="Device family."),
        click.option("--revision", metavar="REV", help="Branch, tag or commit of the model; pinned to a commit."),
        click.option(
            "--model-path", metavar="PATH", help="Path of the model in the pod  [default: /models/<org>/<name>]"
        ),
        click.option("--toolchain", metavar="NAME", help="See `aot toolchain list`  [default: by target]"),
        click.option("--simulate", is_flag=True, help="Use the simulator instead of AWS's image: no real NEFFs."),
        click.option("--trust-remote-code", is_flag=True, help="Fetch the repository's Python files too."),
        click.option("--with-weights", is_flag=True, help="Fetch the weights too; compiling does not need them."),
        click.option("--logical-nc-config", type=click.IntRange(1, 2), help="Sets NEURON_LOGICAL_NC_CONFIG."),
        click.option("--compiler-flags", metavar="FLAGS", help="Replaces NEURON_CC_FLAGS; --target is added."),
        click.option(
            "--remedies",
            type=click.Choice(["auto", "off"]),
            default="auto",
            show_default=True,
            help="Patch around known compiler failures and retry, or stop at the first.",
        ),
    ]
    return _apply(function, options)


def json_option(function: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(function)


def verbose_option(function: F) -> F:
    """``--verbose``, for verbs that report progress."""
    return click.option("--verbose", "-v", is_flag=True, help="Show the compiler's own output on stderr.")(function)


def output_options(function: F) -> F:
    """``--json`` and ``--verbose``."""
    return json_option(verbose_option(function))


def store_option(function: F) -> F:
    """``--store DIR``."""
    return click.option(
        "--store",
        "store_path",
        type=click.Path(path_type=Path, readable=False),  # the store says itself, and better, why it cannot be read
        metavar="DIR",
        default=default_store,
        help="Where artifacts are kept  [default: $AOT_STORE, else ~/.local/share/aot/store]",
    )(function)


def lock_option(function: F) -> F:
    """``--lock FILE``."""
    return click.option(
        "--lock",
        "lock_path",
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        envvar="AOT_LOCK",
        default=Path("aot.lock"),
        show_default=True,
        help="Digests of the images.",
    )(function)


def default_store() -> Path:
    """Where the store lies when ``--store`` is not given."""
    from aot.storage.local import default_path

    return default_path()


def _apply(function: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def build_request(arguments: dict[str, Any]) -> BuildRequest:
    """The request in click's parsed arguments.

    Raises ``ADDITIONAL_CONFIG``, ``NOT_COVERED``, ``SECRET_IN_ENVIRONMENT``, or click's usage error.
    """
    _refuse_uncovered(arguments)
    refuse_tokens(arguments, os.environ)
    flags = arguments["compiler_flags"]
    why = compiler_flags.problem(flags, arguments["target"]) if flags is not None else None
    if why is not None:
        raise click.UsageError(f"--compiler-flags cannot be used: {why}")
    block_size = arguments["block_size"]
    options = ServeOptions(
        **{
            name: arguments[name]
            for name in ServeOptions.__struct_fields__
            if name not in ("additional_config", "block_size")
        },
        block_size=int(block_size) if block_size else None,
        additional_config=parse_additional_config(arguments["additional_config"]),
    )
    return BuildRequest(
        model=arguments["model"],
        target=arguments["target"],
        options=options,
        revision=arguments["revision"],
        path=arguments["model_path"],
        toolchain=arguments["toolchain"],
        simulate=arguments["simulate"],
        trust_remote_code=arguments["trust_remote_code"],
        with_weights=arguments["with_weights"],
        logical_nc_config=arguments["logical_nc_config"],
        compiler_flags=arguments["compiler_flags"],
        remedies=arguments["remedies"] == "auto",
    )


def refuse_tokens(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Raise ``SECRET_IN_ENVIRONMENT`` for a token in text that ends in the artifact, where everybody can read it."""
    for option in ("additional_config", "compiler_flags"):
        for name in TOKENS:
            token = environment.get(name, "")
            if len(token) >= SHORTEST_TOKEN and token in (arguments[option] or ""):
                raise AotError(
                    ErrorId.SECRET_IN_ENVIRONMENT,
                    reason=f"--{option.replace('_', '-')} holds the value of {name}, and would be kept in the artifact",
                    remedy="leave it out: compiling needs no credentials; the variable alone is enough to fetch models",
                )


def _refuse_uncovered(arguments: dict[str, Any]) -> None:
    for name, given in (("--speculative-config", "speculative_config"), ("--enable-lora", "enable_lora")):
        if arguments[given] not in (None, False):
            raise AotError(
                ErrorId.NOT_COVERED,
                reason=f"{name} is not covered yet: it changes the compiled graphs in ways aot has not measured",
                remedy="build without it, or compile in the image by hand",
            )


def parse_additional_config(text: str | None) -> dict[str, Any] | None:
    """``--additional-config``: a JSON object. Raises ``ADDITIONAL_CONFIG``."""
    if text is None:
        return None
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()  # as the record will be written
    except (ValueError, RecursionError) as problem:
        raise _malformed(f"it is no JSON that can be recorded ({problem})") from problem
    if not isinstance(value, dict):
        raise _malformed(f"it is a JSON {type(value).__name__}, not an object")
    override = value.get("override_neuron_config")
    if override is not None and not isinstance(override, dict):
        raise _malformed("override_neuron_config in it is not an object")
    return value


def _malformed(why: str) -> AotError:
    return AotError(
        ErrorId.ADDITIONAL_CONFIG,
        reason=f"--additional-config cannot be used: {why}",
        remedy="""pass one JSON object in quotes, e.g. '{"override_neuron_config": {"fused_qkv": true}}'""",
    )
