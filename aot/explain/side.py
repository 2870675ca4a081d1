"""One of the two things compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from aot.explain.inputs import Known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint import FingerprintRequest

Kind = Literal["request", "plan", "artifact", "neuron_config", "log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a reader found. ``document`` is a canonical document, ``md5`` that of its text; else they are computed."""

    label: str
    kind: Kind
    known: Known = field(default_factory=Known)
    document: Mapping[str, Any] | None = None
    md5: str | None = None
    printed: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of NeuronConfig that a log prints without the rest."""
    outside: Mapping[str, Any] = field(default_factory=dict)
    """Facts that no fingerprint holds, but that decide whether an artifact fits: target, compiler flags, commit."""
    notes: tuple[str, ...] = ()

    def under(self, toolchain: str | None) -> Side:
        """The same side under ``toolchain``, unless it names one itself."""
        if toolchain is None or self.known.toolchain is not None:
            return self
        return replace(self, known=replace(self.known, toolchain=toolchain))


def request_side(label: str, request: FingerprintRequest, toolchain: str | None) -> Side:
    """A side whose inputs are all stated."""
    known = Known(
        model_dir=request.model_dir,
        hf_config=request.hf_config,
        engine_args=request.engine_args,
        env=request.env,
        detected_platform=request.detected_platform,
        usage_context=request.usage_context,
        toolchain=toolchain,
        whole=True,
    )
    outside = {name: request.env[name] for name in ("NEURON_CC_FLAGS",) if name in request.env}
    target = request.env.get("NEURON_PLATFORM_TARGET_OVERRIDE") or request.detected_platform
    return Side(label=label, kind="request", known=known, outside={**outside, **({"target": target} if target else {})})
