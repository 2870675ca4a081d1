"""What can be done about a known error, as ladders: cheapest and least intrusive first.

A remedy is data. The build applies those that are ``automatic``; the others are printed as advice. A remedy that
changes the fingerprint is never automatic: the pod would have to be told too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aot.compile.known_errors import KnownError


class Patch(msgspec.Struct, frozen=True):
    """A patch of ``aot/runner/patches``, as job.json names it."""

    id: str
    parameters: dict[str, Any] = {}


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to try.

    ``override_neuron_config`` is merged into the serve option of that name, ``serve_environment`` must be set when
    serving; both are empty for a remedy that only changes how the NEFF comes about. ``purge`` removes failed entries
    of the compile cache first, which every retry does anyway.
    """

    id: str
    does: str
    cost: str
    not_when: str
    confidence: str
    automatic: bool
    changes_fingerprint: bool
    changes_neff: bool
    patches: tuple[Patch, ...] = ()
    override_neuron_config: dict[str, Any] = {}
    serve_environment: dict[str, str] = {}
    purge: bool = False


PAD_TOPK = Remedy(
    id="pad-topk",
    does="pads the operand inside the TopK call with -inf to a multiple of 16384 and clamps the indices it returns",
    cost="at most one more tile in the top-k of each generated token",
    not_when="the target is trn2 (an NKI kernel is used), or on-device sampling is off: there is no such top-k",
    confidence="inference",
    automatic=True,
    changes_fingerprint=False,
    changes_neff=True,
    patches=(Patch("pad-topk"),),
)
CPU_SAMPLING = Remedy(
    id="cpu-sampling",
    does='samples on the CPU: override_neuron_config {"on_device_sampling_config": null}',
    cost="logits are copied to the host for every token; another fingerprint, and the pod must be given the same",
    not_when="latency matters more than the model",
    confidence="reported",
    automatic=False,
    changes_fingerprint=True,
    changes_neff=True,
    override_neuron_config={"on_device_sampling_config": None},
)
PURGE_FAILED_NEFF = Remedy(
    id="purge-failed-neff",
    does="removes the failed entries of this build's compile cache and compiles again",
    cost="one compile",
    not_when="the compile was already repeated without the cache's help",
    confidence="documented",
    automatic=True,
    changes_fingerprint=False,
    changes_neff=False,
    purge=True,
)
RETRY_ONCE = Remedy(
    id="retry-once",
    does="compiles once more, since the failure need not be deterministic",
    cost="one compile",
    not_when="the log names a cause: then the same will happen again",
    confidence="reported",
    automatic=True,
    changes_fingerprint=False,
    changes_neff=False,
    purge=True,
)

REMEDIES: Mapping[str, Remedy] = {
    remedy.id: remedy for remedy in (PAD_TOPK, CPU_SAMPLING, PURGE_FAILED_NEFF, RETRY_ONCE)
}

LADDER: Mapping[str, tuple[Remedy, ...]] = {
    "NCC_IXCG856": (PAD_TOPK, CPU_SAMPLING),
    "CACHED_FAILED_NEFF": (PURGE_FAILED_NEFF,),
    "NLA001-json-parse": (PURGE_FAILED_NEFF,),
    "NEURONX_CC_EXIT_70": (RETRY_ONCE,),
    "CONNECTION_RESET": (RETRY_ONCE,),
}
"""Remedies per id of the catalogue."""


def ladder(error: KnownError | str) -> tuple[Remedy, ...]:
    """What can be tried about an error, in order; empty for most."""
    return LADDER.get(error if isinstance(error, str) else error.id, ())


def next_remedy(error: str, tried: Collection[str]) -> Remedy | None:
    """The first automatic remedy for an error that has not been tried in this build."""
    return next((remedy for remedy in ladder(error) if remedy.automatic and remedy.id not in tried), None)


def applied_by_build(error: str) -> Remedy | None:
    """The remedy that ``aot build`` would begin with."""
    return next_remedy(error, ())
