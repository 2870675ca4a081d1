"""How users name an artifact."""

from __future__ import annotations

from pathlib import Path

import pytest

from aot.errors import AotError, ErrorId
from aot.storage.reference import Reference, parse_reference

_DEFAULT = Path("/default")
_DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "store", "name"),
    [
        ("latest", "/default", "latest"),
        ("key-" + "a" * 64, "/default", "key-" + "a" * 64),
        ("a" * 64, "/default", "a" * 64),
        (_DIGEST, "/default", _DIGEST),
        ("oci:/s:latest", "/s", "latest"),
        ("oci:./s:latest", "s", "latest"),
        (f"oci:/s:{_DIGEST}", "/s", _DIGEST),
        (f"oci:/s@{_DIGEST}", "/s", _DIGEST),
        (f"/s@{_DIGEST}", "/s", _DIGEST),
        (f"../s@{_DIGEST}", "../s", _DIGEST),
        ("oci:/s", "/s", None),
        ("oci:s", "s", None),
    ],
)
def test_forms(text: str, store: str, name: str | None) -> None:
    assert parse_reference(text, _DEFAULT) == Reference(Path(store), name)


def test_home_directory() -> None:
    assert parse_reference("oci:~/s:t", _DEFAULT).store == Path("~/s").expanduser()


@pytest.mark.parametrize("text", ["", "oci:", "oci::t", "oci:/s:", f"@{_DIGEST}", "/s@", "oci://host/repo:tag"])
def test_malformed(text: str) -> None:
    with pytest.raises(AotError) as caught:
        parse_reference(text, _DEFAULT)
    assert caught.value.error_id is ErrorId.USAGE


@pytest.mark.parametrize("text", ["docker://host/repo", "s3://bucket/x", "oci://host/repo@" + _DIGEST])
def test_registries_are_not_read_here(text: str) -> None:
    with pytest.raises(AotError, match="registry"):
        parse_reference(text, _DEFAULT)
