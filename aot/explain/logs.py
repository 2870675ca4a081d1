"""A pod's log as a side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.errors import AotError, ErrorId
from aot.explain import log
from aot.explain.inputs import Known
from aot.explain.resolve import md5_of
from aot.explain.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_FLAGS = {"model", "model_tag"}
_FLAGS_ONLY = "the log shows the flags; config.json, variables and device are taken from the other side"
_SOME_ONLY = "the log shows some attributes of NeuronConfig; the rest is taken to be as on the other side"
_REWRITTEN = "the log shows the configuration of the artifact that was loaded, not what the pod's own flags ask for"


def side(label: str, lines: Iterable[bytes]) -> Side:
    """The configuration a log prints. Raises ``EXPLAIN_INPUT`` where it prints none."""
    found = find(lines)
    if found is None:
        raise AotError(
            ErrorId.EXPLAIN_INPUT,
            reason=f"{label} cannot be explained: it is no JSON, and as a log it prints no configuration",
            remedy=(
                "give the log from its start: vLLM prints `non-default args: {...}` first; or explain the artifact's "
                "neuron_config.json, or the pod's request (`aot fingerprint --requests` has the format)"
            ),
        )
    return as_side(label, found)


def find(lines: Iterable[bytes]) -> log.Printed | None:
    """The most telling configuration among the lines."""
    return log.read(lines)


def as_side(label: str, found: log.Printed) -> Side:
    """What a printed configuration says, by its form."""
    where = f"{found.form} on line {found.line}"
    if found.form == "arguments":
        return Side(label=label, kind="log", known=_flags(log.plain(found.value)), notes=(where, _FLAGS_ONLY))
    if found.form == "neuron config":
        return Side(label=label, kind="log", printed=log.plain(found.value), notes=(where, _SOME_ONLY))
    notes = (where, _REWRITTEN) if found.form == "loaded config" else (where,)
    return Side(label=label, kind="log", document=found.value, md5=md5_of(found.value), notes=notes)


def _flags(arguments: dict[str, Any]) -> Known:
    """Flags of the engine; those of the HTTP server (host, port, an API key) are left out and never shown."""
    from aot import toolchain

    profile = next((each for name in toolchain.names() if (each := toolchain.load_profile(name))), None)
    fields = profile["engine"]["fields"] if profile else {}
    model = arguments.get("model_tag", arguments.get("model"))
    return Known(
        model_dir=model if isinstance(model, str) else None,
        engine_args={name: value for name, value in arguments.items() if name in fields and name not in _NOT_FLAGS},
    )
