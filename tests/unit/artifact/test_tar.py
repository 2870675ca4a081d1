"""Layers: bytes that depend on names and contents alone, readable by everybody's tar."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from aot.artifact.tar import BadFileError, Member, header, safe_name, write_layer

if TYPE_CHECKING:
    from pathlib import Path

_MEMBERS = [Member("record.json", b"{}\n"), Member("compiled/neuron_config.json", b"x" * 513)]


def test_digest_and_size_are_those_of_the_file(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "layer", _MEMBERS)
    content = layer.path.read_bytes()
    assert layer.digest == "sha256:" + hashlib.sha256(content).hexdigest()
    assert layer.size == len(content)


def test_facts_of_the_files(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "layer", _MEMBERS)
    assert {name: fact.size for name, fact in layer.files.items()} == {
        "record.json": 3,
        "compiled/neuron_config.json": 513,
    }
    assert layer.files["record.json"].sha256 == hashlib.sha256(b"{}\n").hexdigest()


def test_tarfile_reads_it(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "layer", _MEMBERS)
    with tarfile.open(layer.path) as archive:
        members = [(m.name, m.type, m.mode, m.mtime, m.uid, m.uname) for m in archive]
        content = archive.extractfile("compiled/neuron_config.json")
        assert content is not None
        assert content.read() == b"x" * 513
    assert members == [
        ("compiled", tarfile.DIRTYPE, 0o755, 0, 0, ""),
        ("record.json", tarfile.REGTYPE, 0o644, 0, 0, ""),
        ("compiled/neuron_config.json", tarfile.REGTYPE, 0o644, 0, 0, ""),
    ]


def test_same_bytes_as_gnu_tar(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "layer", _MEMBERS)
    for member in _MEMBERS:
        path = tmp_path / "tree" / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(member.source if isinstance(member.source, bytes) else member.source.read_bytes())
        path.chmod(0o644)
    (tmp_path / "tree" / "compiled").chmod(0o755)
    options = ["--format=ustar", "--mtime=@0", "--owner=:0", "--group=:0", "--numeric-owner", "--no-recursion", "-b1"]
    names = ["compiled", *(member.name for member in _MEMBERS)]
    subprocess.run(["tar", "-C", tmp_path / "tree", *options, "-cf", tmp_path / "gnu.tar", *names], check=True)
    assert layer.path.read_bytes() == (tmp_path / "gnu.tar").read_bytes()


@pytest.mark.parametrize("length", [99, 100, 101, 105, 250, 2000])
def test_long_names_are_read_by_tarfile(tmp_path: Path, length: int) -> None:
    name = "d/" + "x" * (length - 2)
    layer = write_layer(tmp_path / "layer", [Member(name, b"1")])
    with tarfile.open(layer.path) as archive:
        assert archive.getnames() == ["d", name]


@pytest.mark.parametrize("size", [(8 << 30) - 1, 8 << 30, 100 << 30])
def test_large_sizes_are_read_by_tarfile(size: int) -> None:
    with tarfile.open(fileobj=io.BytesIO(header("w", size))) as archive:
        member = archive.next()
        assert member is not None
        assert member.size == size


def test_bytes_are_pinned(tmp_path: Path) -> None:
    """Another Python, another umask or another clock must not change the digest of an artifact."""
    before = os.umask(0o077)
    try:
        layer = write_layer(tmp_path / "layer", _MEMBERS)
    finally:
        os.umask(before)
    assert layer.digest == "sha256:5169ccd8bc6f4a477d99358933feb992cc2f307d21ffad435e60c80fce551f09"


def test_source_files_leave_no_trace(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_bytes(b"same" * 1000)
    other.chmod(0o600)
    os.utime(other, (1, 1))
    digests = {write_layer(tmp_path / f"l{n}", [Member("a/b", path)]).digest for n, path in enumerate((one, other))}
    assert len(digests) == 1


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_sizes_around_blocks_and_pieces(tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    layer = write_layer(tmp_path / "layer", [Member("f", source)])
    assert layer.size == 512 + size + -size % 512 + 1024
    with tarfile.open(layer.path) as archive:
        content = archive.extractfile("f")
        assert content is not None
        assert content.read() == source.read_bytes()


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic link"):
        write_layer(tmp_path / "layer", [Member("f", tmp_path / "link")])


def test_a_file_that_shrinks_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    facts = os.stat_result((0o100644, 0, 0, 1, 0, 0, 200, 0, 0, 0))
    monkeypatch.setattr("aot.artifact.tar.os.fstat", lambda _: facts)
    with pytest.raises(BadFileError, match="shorter"):
        write_layer(tmp_path / "layer", [Member("f", source)])


@pytest.mark.parametrize("name", ["a", "a/b", "compiled/weights/tp0_sharded_checkpoint.safetensors"])
def test_safe_names(name: str) -> None:
    assert safe_name(name)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "./a", "a\n", "a\0b", "a\\b", ".aot"])
def test_unsafe_names(name: str) -> None:
    assert not safe_name(name)
