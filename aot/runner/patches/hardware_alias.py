"""Let the platform override name the chip it names, not a chip of its own.

NxD's ``hardware`` enum of SDK 2.25-2.28 (``neuronx_distributed/utils/utils.py``) has a member ``CUSTOM`` whose value
*is* ``NEURON_PLATFORM_TARGET_OVERRIDE``. Under override ``inf2``, ``hardware("inf2")`` is therefore ``CUSTOM`` and not
``TRN1``, as it is on a real inf2 without the override, and every ``== hardware.TRN1`` in NxD and NxDI takes the other
branch. The alias restores what the enum itself answers for a detected chip. To be applied right after importing the
enum's module, before NxDI or the plugin, which ask the enum while they are imported.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "hardware-alias"
TARGET = "neuronx_distributed.utils.utils.hardware"


def apply(parameters: dict[str, Any], note: Callable[[dict[str, Any], str], None]) -> bool:  # noqa: ARG001 (one shape)
    """Map the override's value to the member of the real chip; False where the enum does not have the trap."""
    _, _, hardware = resolve(TARGET)
    override = os.environ.get("NEURON_PLATFORM_TARGET_OVERRIDE")
    custom = getattr(hardware, "CUSTOM", None)
    if custom is None or override is None or custom.value != override:
        return False
    # ``_missing_`` is where a detected inf2 or trn1n goes, having no member of that value; CUSTOM stands in its way.
    member = hardware._missing_(override)
    # Under override trn1 the name CUSTOM is only another name for TRN1, and nothing is to be done.
    if member is None or member is custom:
        return False
    hardware._value2member_map_[override] = member
    return True
