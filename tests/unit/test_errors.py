from __future__ import annotations

import pytest

from aot import errors
from aot.errors import AotError, ErrorClass, ErrorId


def test_ids_and_exit_codes_are_unique() -> None:
    ids = [member.string_id for member in ErrorId]
    codes = [member.exit_code for member in ErrorClass]
    assert len(ids) == len(set(ids))
    assert len(codes) == len(set(codes))
    assert not {0, 1, errors.EXIT_INTERNAL, errors.EXIT_SIGINT, errors.EXIT_SIGTERM} & set(codes)


def test_a_shared_exit_code_is_noticed_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "EXIT_INTERNAL", ErrorClass.EOS.exit_code)
    with pytest.raises(RuntimeError, match="exit code used twice"):
        errors._check_tables()


def test_an_error_carries_reason_remedy_and_the_code_of_its_class() -> None:
    error = AotError(ErrorId.MODEL_GATED, reason="why", remedy="what to do", facts={"a": 1})
    assert (str(error), error.remedy, error.exit_code, error.facts) == ("why", "what to do", 4, {"a": 1})
