"""``record.json``: the facts about one artifact that are the same whenever and wherever it is built.

Nothing here depends on a clock, a host or luck: durations, log tails and host facts belong into the build report,
which is attached to the artifact from outside (``LocalStore.attach_report``), so two equal builds have one digest.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import msgspec

from aot.errors import AotError, ErrorId
from aot.request import ServeOptions, Target

SCHEMA_VERSION = 1
RECORD_NAME = "record.json"
_KEY = re.compile(r"[0-9a-f]{64}")
_TAG_PREFIX = "key-"


class FileFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size in bytes and hexadecimal sha256 of one file."""

    size: int
    sha256: str


class RecordedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was asked for, with every option that can enter the hash spelled out; ``remedies`` is the policy."""

    model: str
    target: Target
    options: ServeOptions
    path: str | None = None
    trust_remote_code: bool = False
    with_weights: bool = False
    logical_nc_config: int | None = None
    compiler_flags: str | None = None
    remedies: bool = True


class ToolchainFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The image that compiled; ``digest`` is None when no real image took part (simulation)."""

    name: str
    sdk: str
    image: str
    digest: str | None = None
    components: dict[str, str] = {}


class ModelFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The snapshot that was compiled; ``commit`` is None for a local directory, ``path`` is the path in the pod."""

    id: str
    path: str
    commit: str | None = None
    files: dict[str, FileFact] = {}


class FingerprintFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Serve-time hash: ``found`` in the image, ``predicted`` outside it (None: why in ``predicted_reason``)."""

    found: str
    predicted: str | None = None
    predicted_reason: str | None = None
    mismatch_allowed: bool = False


class PlatformFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which chip the graphs were traced for, and by which of upstream's two ways of recognising it."""

    target: str
    override: str | None = None
    hardware_member: str | None = None
    hardware_alias_applied: bool = False
    native_gqa: bool | None = None


class RemedyServing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of ``Record.serving`` that one remedy brought along."""

    flags: list[str] = []
    environment: dict[str, str] = {}


class AppliedRemedy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A remedy without which this artifact would not exist.

    ``error`` is the id of the known error it answers, ``applications`` what each patch changed (operand, widths).
    """

    id: str
    error: str
    patches: list[dict[str, Any]] = []
    applications: list[dict[str, Any]] = []
    serving: RemedyServing = RemedyServing()


class EosFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outcome of the EOS check: the ids that end a request and where each was read."""

    ok: bool
    stop_ids: list[int]
    sources: Any = None
    findings: list[dict[str, Any]] = []


class Serving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All flags and variables the server must get (what remedies need included), and the model path it must use."""

    flags: list[str]
    model_path: str
    environment: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of ``record.json``; ``files`` is filled in by packing."""

    schema_version: Literal[1] = 1
    kind: Literal["vllm-neuron"] = "vllm-neuron"
    simulated: bool
    note: str | None = None
    key: str
    request: RecordedRequest
    toolchain: ToolchainFact
    model: ModelFact
    fingerprint: FingerprintFact
    canonical_json: str
    """The text whose md5 is ``fingerprint.found``, character by character."""
    architecture: str
    model_class: str
    platform: PlatformFact
    remedies: list[AppliedRemedy] = []
    eos: EosFact
    serving: Serving
    files: dict[str, FileFact] = {}
    versions: dict[str, str] = {}

    def __post_init__(self) -> None:
        """A key of another shape would produce a tag that no registry accepts."""
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"a key is 64 lower-case hexadecimal digits, not {self.key!r}")


def tag_for_key(key: str) -> str:
    """The tag an artifact carries for the request ``key``: ``key-`` and its 64 hexadecimal digits.

    68 characters of ``[a-z0-9-]``: within the distribution specification's ``[A-Za-z0-9_][A-Za-z0-9._-]{0,127}``.
    """
    return _TAG_PREFIX + key


def key_of_tag(tag: str) -> str | None:
    """The inverse of ``tag_for_key``, None for any other tag."""
    key = tag.removeprefix(_TAG_PREFIX)
    return key if tag.startswith(_TAG_PREFIX) and _KEY.fullmatch(key) else None


def encode(record: Record) -> bytes:
    """Canonical bytes: sorted keys, two spaces, UTF-8, newline at the end."""
    plain = msgspec.to_builtins(record)
    return (json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def decode(content: bytes) -> Record:
    """Read ``record.json``. Raises ``ARTIFACT_UNREADABLE`` for a version or a shape that this release cannot read."""
    try:
        version = msgspec.json.decode(content, type=dict[str, Any]).get("schema_version")
        if version != SCHEMA_VERSION:
            raise _unreadable(f"it has schema_version {version!r}, this aot reads {SCHEMA_VERSION}")
        return msgspec.json.decode(content, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _unreadable(str(problem)) from problem


def _unreadable(why: str) -> AotError:
    return AotError(
        ErrorId.ARTIFACT_UNREADABLE,
        reason=f"the artifact's {RECORD_NAME} cannot be read: {why}",
        remedy="use the aot release that built it, or build it again with this one",
    )
