"""The Neuron platform as the libraries see it: target, override, logical cores, the hardware enum.

Mirrors ``hardware`` (neuronx-distributed 0.16-0.18, utils/utils.py), ``get_platform_lnc`` (utils/model_utils.py) and
``get_platform_target`` (torch_neuronx), whose source is not public: the override wins over what the device reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aot.fingerprint.errors import NotCovered, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.fingerprint.request import FingerprintRequest

TARGET_OVERRIDE = "NEURON_PLATFORM_TARGET_OVERRIDE"
LOGICAL_CORES = "NEURON_LOGICAL_NC_CONFIG"
_GENERATIONS = {"trn1": "TRN1", "trn1n": "TRN1", "inf2": "TRN1", "trn2": "TRN2", "trn3": "TRN3"}
_MEMBER_VALUES = ("trn1", "trn2", "trn3")
_UNSET = -1


@dataclass(frozen=True, slots=True)
class Platform:
    """``hardware`` is the member's name; ``logical_cores_in_env`` is None where the variable is not set."""

    target: str
    hardware: str
    logical_cores_in_env: int | None
    default_logical_cores: int


def detect(request: FingerprintRequest, profile: Mapping[str, Any]) -> Platform:
    """The platform of the requested process. Raises NotCovered where neither override nor device tells it."""
    override = request.env.get(TARGET_OVERRIDE)
    target = override or request.detected_platform
    if target is None:
        raise NotCovered(
            "no platform: what the Neuron libraries do without a device and without an override is not known",
            f"give detected_platform, or set {TARGET_OVERRIDE}",
        )
    if target not in _GENERATIONS:
        raise NotCovered(f"the platform {target!r} is not one of {', '.join(_GENERATIONS)}")
    return Platform(
        target=target,
        hardware=_hardware(target, override, profile["behaviour"]),
        logical_cores_in_env=_environment_cores(request.env),
        default_logical_cores=2 if target in ("trn2", "trn3") else 1,
    )


def _hardware(target: str, override: str | None, behaviour: Mapping[str, Any]) -> str:
    """``hardware(get_platform_target())``.

    Up to NxD 0.17 the enum has a member CUSTOM whose value *is* the override, so that under override "inf2" the lookup
    finds CUSTOM, not TRN1; under override "trn1" CUSTOM is an alias of TRN1.
    """
    if behaviour["hardware_enum_custom_member"] and override and override not in _MEMBER_VALUES:
        return "CUSTOM"
    return _GENERATIONS[target]


def _environment_cores(env: Mapping[str, str]) -> int | None:
    """NEURON_LOGICAL_NC_CONFIG, read when NxD is imported: ``LogicalNCConfig`` has the members 1 and 2."""
    cores = int(env.get(LOGICAL_CORES, _UNSET))
    if cores == _UNSET:
        return None
    if cores not in (1, 2):
        raise Refused(
            f"{LOGICAL_CORES}={cores}: the Neuron libraries know 1 and 2", f"correct or unset {LOGICAL_CORES}"
        )
    return cores
