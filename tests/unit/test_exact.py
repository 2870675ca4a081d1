"""What ``plan --exact`` makes of the runner's answer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aot.compile.result import FoundFingerprint, RunnerResult, read_canonical
from aot.errors import AotError
from aot.exact import _exact

TEXT = '{"name": "\\u00e9"}'
MD5 = hashlib.md5(TEXT.encode(), usedforsecurity=False).hexdigest()


def answer(md5: str | None) -> RunnerResult:
    fingerprint = None if md5 is None else FoundFingerprint(md5)
    return RunnerResult(schema_version=1, outcome="fingerprinted", fingerprint=fingerprint, simulated=True)


def test_the_verdict() -> None:
    found = _exact(answer(MD5), TEXT)
    assert found.verdict(MD5) == "equal"
    assert found.verdict("0" * 32) == "different"
    assert found.verdict(None) == "not predicted"
    assert (found.canonical_json, found.simulated) == (TEXT, True)


@pytest.mark.parametrize("claimed", [None, "0" * 32])
def test_a_fingerprint_that_is_not_the_md5_of_its_text_is_no_answer(claimed: str | None, tmp_path: Path) -> None:
    (tmp_path / "canonical.json").write_text(TEXT)
    with pytest.raises(AotError) as problem:
        _exact(answer(claimed), read_canonical(tmp_path, answer(claimed)))
    assert problem.value.error_id.string_id == "runner-without-result"
