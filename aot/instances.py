"""EC2 instance types with Neuron devices, from ``manifests/instances.json``."""

from __future__ import annotations

from functools import cache

import msgspec

from aot import resources
from aot.errors import AotError, ErrorId
from aot.request import Target

GIB = 1 << 30


class Instance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One instance type; cores are physical ones."""

    instance_type: str
    target: Target
    vcpu: int
    host_memory_gib: int
    neuron_devices: int
    neuron_cores: int
    device_memory_gib: int

    def logical_cores(self, lnc: int) -> int:
        """Cores that a tensor parallel degree counts, with ``lnc`` physical cores in each."""
        return self.neuron_cores // lnc

    def core_memory(self, lnc: int) -> int:
        """Bytes of device memory per logical core."""
        return self.device_memory_gib * GIB * lnc // self.neuron_cores


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    instances: tuple[Instance, ...]


@cache
def instances() -> tuple[Instance, ...]:
    """All instance types. Raises ``MANIFEST_DAMAGED`` naming the field."""
    path = resources.manifests() / "instances.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Document).instances
    except (OSError, ValueError) as problem:  # msgspec's errors are ValueErrors
        raise AotError(
            ErrorId.MANIFEST_DAMAGED, reason=f"{path}: {problem}", remedy="reinstall neuron-aot, or restore the file"
        ) from problem


def of_target(target: Target) -> tuple[Instance, ...]:
    """Instance types of one target, smallest first."""
    found = [instance for instance in instances() if instance.target == target]
    return tuple(sorted(found, key=lambda instance: (instance.neuron_cores, instance.vcpu)))
