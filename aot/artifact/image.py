"""Packing: compiled files and their record become an OCI image.

A standard image config and plain tar layers are what docker-registry 2.8, skopeo, Docker 20.10 and containerd 1.6 all
accept; the empty config of ORAS-style artifacts is refused by the latter two. Layers stay uncompressed: NEFFs and
weights hardly shrink, compressors differ between hosts, and a layer's digest then equals its diff id.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from aot.artifact import layout, record
from aot.artifact.disk import disk_errors, require_free, write_new
from aot.artifact.layout import Descriptor, Manifest
from aot.artifact.record import RECORD_NAME, FileFact, Record
from aot.artifact.tar import BadFileError, Layer, Member, write_layer
from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from pathlib import Path

VENDOR = "vnd.neuron-aot"
"""Our prefix in media types and annotations; nobody's domain name is claimed."""

ARTIFACT_TYPE = f"application/{VENDOR}.artifact.v1"
CONFIG_NAME = "compiled/neuron_config.json"
MODEL_NAME = "compiled/model.pt"
_WEIGHT_NAME = re.compile(r"compiled/weights/tp\d+_sharded_checkpoint\.safetensors")
_EPOCH = "1970-01-01T00:00:00Z"
_OVERHEAD = 1 << 20


@dataclass(frozen=True)
class PackedImage:
    """A finished image in a staging directory: ``blobs`` maps every digest to its file there."""

    digest: str
    descriptor: Descriptor
    manifest: Manifest
    record: Record
    blobs: dict[str, Path]

    @property
    def size(self) -> int:
        """Bytes of all blobs, manifest included."""
        return self.descriptor.size + self.manifest.config.size + sum(layer.size for layer in self.manifest.layers)


def pack(facts: Record, files_dir: Path, staging: Path) -> PackedImage:
    """Pack ``files_dir/compiled`` with its record into ``staging``; ``facts.files`` is filled in.

    ``staging`` is an empty directory on the store's file system (``LocalStore.staging``). Equal input gives equal
    digests. Raises ``RUNNER_FAILED`` for files that do not belong into an artifact, ``DISK_FULL`` and
    ``STORE_UNWRITABLE``.
    """
    names = _compiled_files(files_dir)
    needed = sum((files_dir / name).lstat().st_size for name in names) + _OVERHEAD
    with disk_errors(staging, needed):
        require_free(staging, needed)
        try:
            return _pack(facts, files_dir, names, staging)
        except BadFileError as problem:
            raise _unexpected(str(problem)) from problem


def _pack(facts: Record, files_dir: Path, names: list[str], staging: Path) -> PackedImage:
    large = [name for name in names if name != CONFIG_NAME]
    layers = [write_layer(staging / f"layer-{n}", [Member(name, files_dir / name)]) for n, name in enumerate(large)]
    config = (files_dir / CONFIG_NAME).read_bytes()
    files = {CONFIG_NAME: FileFact(len(config), hashlib.sha256(config).hexdigest())}
    for layer in layers:
        files |= layer.files
    complete = msgspec.structs.replace(facts, files=dict(sorted(files.items())))
    small = [Member(RECORD_NAME, record.encode(complete)), Member(CONFIG_NAME, config)]
    first = write_layer(staging / "layer-record", small)
    return _assemble(complete, [first, *layers], staging)


def _assemble(facts: Record, layers: list[Layer], staging: Path) -> PackedImage:
    notes = describe(facts)
    blobs = {layer.digest: layer.path for layer in layers}
    config = layout.canonical(_image_config(layers, notes))
    manifest = Manifest(
        schema_version=2,
        media_type=layout.MANIFEST_TYPE,
        artifact_type=ARTIFACT_TYPE,
        config=_small_blob(config, layout.CONFIG_TYPE, staging, blobs),
        layers=[Descriptor(media_type=layout.LAYER_TYPE, digest=each.digest, size=each.size) for each in layers],
        annotations=notes,
    )
    blob = _small_blob(layout.canonical(manifest), layout.MANIFEST_TYPE, staging, blobs)
    described = msgspec.structs.replace(blob, artifact_type=ARTIFACT_TYPE)
    return PackedImage(blob.digest, described, manifest, facts, blobs)


def _small_blob(content: bytes, media_type: str, staging: Path, blobs: dict[str, Path]) -> Descriptor:
    digest = layout.digest_of(content)
    path = staging / digest.removeprefix("sha256:")
    write_new(path, content)
    blobs[digest] = path
    return Descriptor(media_type=media_type, digest=digest, size=len(content))


def _image_config(layers: list[Layer], labels: dict[str, str]) -> dict[str, Any]:
    """An image config as Docker and containerd demand it: one diff id per layer, equal digests for equal content."""
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": _EPOCH,
        "config": {"Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [{"created": _EPOCH, "created_by": f"aot: {', '.join(layer.files)}"} for layer in layers],
    }


def describe(facts: Record) -> dict[str, str]:
    """What a registry's page or ``aot list`` shows without fetching a layer; also the image's labels."""
    options = facts.request.options
    chip = f"{facts.platform.target}, tensor parallel {options.tensor_parallel_size}"
    oci = {
        "title": f"{facts.model.id} compiled for {chip}",
        "description": "Compiled model (NEFFs) for vLLM on AWS Neuron" + (", SIMULATED" if facts.simulated else ""),
        "revision": facts.model.commit,
    }
    ours = {
        "model": facts.model.id,
        "model-path": facts.model.path,
        "target": facts.platform.target,
        "tensor-parallel-size": options.tensor_parallel_size,
        "max-model-len": options.max_model_len,
        "max-num-seqs": options.max_num_seqs,
        "fingerprint": facts.fingerprint.found,
        "key": facts.key,
        "simulated": "true" if facts.simulated else "false",
        "toolchain": facts.toolchain.name,
        "remedies": ",".join(remedy.id for remedy in facts.remedies) or None,
        "versions": ",".join(f"{name}={version}" for name, version in sorted(facts.versions.items())) or None,
    }
    named: dict[str, object] = {f"org.opencontainers.image.{name}": value for name, value in oci.items()}
    named |= {f"{VENDOR}.{name}": value for name, value in ours.items()}
    return {name: str(value) for name, value in sorted(named.items()) if value is not None}


def _compiled_files(files_dir: Path) -> list[str]:
    """Names of the compiled files, sorted; an artifact is exactly config, model and pre-sharded weights."""
    found = sorted(str(p.relative_to(files_dir)) for p in (files_dir / "compiled").rglob("*") if not _is_directory(p))
    for name in found:
        if name not in (CONFIG_NAME, MODEL_NAME) and not _WEIGHT_NAME.fullmatch(name):
            raise _unexpected(f"{name} does not belong into an artifact")
        if not (files_dir / name).is_file() or (files_dir / name).is_symlink():
            raise _unexpected(f"{name} is not a regular file")
    for name in (CONFIG_NAME, MODEL_NAME):
        if name not in found:
            raise _unexpected(f"{name} is missing")
    return sorted(found, key=_by_rank)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _by_rank(name: str) -> tuple[str, int]:
    """Order ``tp10`` after ``tp9``."""
    digits = re.search(r"tp(\d+)_", name)
    return name.partition("/tp")[0], int(digits[1]) if digits else 0


def _unexpected(what: str) -> AotError:
    return AotError(
        ErrorId.RUNNER_FAILED,
        reason=f"the compile left something other than a compiled model: {what}",
        remedy="look at the build log; if the image is a release that aot knows, please report this",
    )
