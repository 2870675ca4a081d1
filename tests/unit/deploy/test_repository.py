"""``--repository``: host and path, nothing else."""

from __future__ import annotations

import pytest

from aot.deploy.repository import check_repository
from aot.errors import AotError, ErrorId


@pytest.mark.parametrize(
    "text",
    [
        "registry.example.com/qwen",
        "registry.example.com/team/qwen3-8b",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/models/qwen3_8b",
        "127.0.0.1:5000/x",
        "localhost/x",
        "localhost:5000/x",
        "harbor:8443/x/y.z",
        "[::1]:5000/x",
        "ghcr.io/a--b/c__d",
    ],
)
def test_accepted(text: str) -> None:
    assert check_repository(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://registry.example.com/x", "scheme"),
        ("oci://registry.example.com/x", "scheme"),
        ("registry.example.com/x:latest", "tag"),
        ("registry.example.com/x@sha256:" + "a" * 64, "digest"),
        ("registry.example.com/x:t@sha256:" + "a" * 64, "digest"),
        ("registry.example.com", "host name"),
        ("team/qwen", "host name"),
        ("qwen", "host name"),
        ("", "host name"),
        ("/x", "host name"),
        ("registry.example.com/", "path"),
        ("registry.example.com/Qwen", "path"),
        ("registry.example.com/a//b", "path"),
        ("registry.example.com/a/", "path"),
        ("registry.example.com/../b", "path"),
        ("registry.example.com/a b", "path"),
        ("registry.example.com/a\n", "path"),
        ("registry.example.com/a..b", "path"),
        ("registry.example.com/" + "a" * 250, "path"),
    ],
)
def test_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(AotError, match=why) as caught:
        check_repository(text)
    assert caught.value.error_id is ErrorId.USAGE
