"""Hostile archives are refused, whatever is wrong with them, and nothing but ``BadLayerError`` comes out."""

from __future__ import annotations

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aot.artifact import tar, untar
from aot.artifact.blobs import BadLayerError, HashingReader

if TYPE_CHECKING:
    from pathlib import Path


def _read(content: bytes) -> dict[str, bytes]:
    with ThreadPoolExecutor(1) as pool:
        reader = HashingReader(io.BytesIO(content), pool)
        return {entry.name: b"".join(entry.pieces) for entry in untar.entries(reader)}


def _archive(*members: tarfile.TarInfo, content: bytes = b"", form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, **facts: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for attribute, value in facts.items():
        setattr(member, attribute, value)
    return member


def test_our_own_archive_is_read(tmp_path: Path) -> None:
    layer = tar.write_layer(
        tmp_path / "l", [tar.Member("a/b", b"1"), tar.Member("c", b""), tar.Member("d", b"x" * 600)]
    )
    assert _read(layer.path.read_bytes()) == {"a/b": b"1", "c": b"", "d": b"x" * 600}


def test_longer_padding_at_the_end_is_harmless() -> None:
    assert _read(_archive(_member("a"))) == {"a": b""}


def test_unread_content_is_skipped(tmp_path: Path) -> None:
    layer = tar.write_layer(tmp_path / "l", [tar.Member("a", b"1" * 5000), tar.Member("b", b"2")])
    with ThreadPoolExecutor(1) as pool:
        reader = HashingReader(io.BytesIO(layer.path.read_bytes()), pool)
        assert [entry.name for entry in untar.entries(reader)] == ["a", "b"]
        assert reader.digest() == layer.digest


def test_names_and_sizes_that_need_pax_are_read(tmp_path: Path) -> None:
    name = "/".join(["d" * 90] * 4)
    layer = tar.write_layer(tmp_path / "l", [tar.Member(name, b"1")])
    assert _read(layer.path.read_bytes()) == {name: b"1"}


def test_a_header_of_more_than_8_gib_is_read() -> None:
    """Only the header: the size of a pre-sharded weight file for a large model does not fit into ustar's 11 digits."""
    header = tar.header("w", 9 << 30)
    assert len(header) > 512
    with pytest.raises(BadLayerError, match="middle of a file"):
        _read(header)


HOSTILE = {
    "absolute": _archive(_member("/etc/passwd")),
    "climbing": _archive(_member("../x")),
    "climbing inside": _archive(_member("a/../../x")),
    "dot": _archive(_member("./a")),
    "hidden": _archive(_member(".aot-artifact.json")),
    "newline": _archive(_member("a\nb")),
    "symbolic link": _archive(_member("a", tarfile.SYMTYPE, linkname="/etc")),
    "hard link": _archive(_member("a", tarfile.LNKTYPE, linkname="/etc/passwd")),
    "character device": _archive(_member("a", tarfile.CHRTYPE)),
    "block device": _archive(_member("a", tarfile.BLKTYPE)),
    "fifo": _archive(_member("a", tarfile.FIFOTYPE)),
    "set-uid": _archive(_member("a", mode=0o4755)),
    "set-gid directory": _archive(_member("a", tarfile.DIRTYPE, mode=0o2755)),
    "world-writable": _archive(_member("a", mode=0o666)),
    "sparse": _archive(_member("a", tarfile.GNUTYPE_SPARSE)),
    "GNU long name": _archive(_member("a" * 200), form=tarfile.GNU_FORMAT),
    "global pax header": _archive(_member("a", tarfile.XGLTYPE)),
    "pax link": _archive(_member("a", pax_headers={"linkpath": "x"})),
    "pax climbing": _archive(_member("a", pax_headers={"path": "../" + "a" * 200})),
    "pax size": _archive(_member("a", pax_headers={"size": "-1"})),
    "large pax header": _archive(_member("a", pax_headers={"path": "a" * (1 << 17)})),
    "shorter than said": _archive(_member("a", size=5000), content=b"x" * 5000)[:2000],
    "cut header": _archive(_member("a"))[:300],
    "no end": _archive(_member("a"))[:512],
    "empty": b"",
    "trailing data": _archive(_member("a")) + b"x",
    "gzip": b"\x1f\x8b" + bytes(1000),
    "text": b"not a tar archive" * 100,
    "latin-1 name": _archive(_member("a")).replace(b"a", b"\xe9", 1),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(case: str) -> None:
    with pytest.raises(BadLayerError):
        _read(HOSTILE[case])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_never_escapes_as_another_error(data: st.DataObject) -> None:
    """Any bytes changed anywhere: read as safe names, or refused."""
    content = bytearray(_archive(_member("a/b", size=10), _member("c" * 150), content=b"0123456789"))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 3000))] = data.draw(st.integers(0, 255))
    try:
        names = list(_read(bytes(content)))
    except BadLayerError:
        return
    assert all(tar.safe_name(name) for name in names)
