from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aot import errors
from aot.cli import main
from aot.errors import AotError, ErrorClass, ErrorId
from tests.support.cli import EXAMPLE, Aot

HEAVY = ("msgspec", "docker", "requests", "httpx", "huggingface_hub", "rich", "jinja2", "yaml", "tokenizers", "asyncio")


@pytest.fixture
def aot(tmp_path: Path) -> Aot:
    return Aot(tmp_path / "home")


def imported_by(code: str) -> set[str]:
    report = "import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_starting_imports_nothing_heavy() -> None:
    assert not imported_by("import aot.cli.main") & set(HEAVY)


def test_help_imports_no_verb() -> None:
    modules = imported_by("from aot.cli import main\nassert main.run(['--help']) == 0")
    verbs = {module for module, _ in main.VERBS.values()}
    assert not modules & (verbs | set(HEAVY))


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_has_help_with_an_example(aot: Aot, verb: str) -> None:
    done = aot(verb, "--help")
    assert done.status == 0, done.stderr
    assert f"aot {verb}" in done.stdout
    assert "Example" in done.stdout


def test_an_unknown_verb_is_a_usage_error(aot: Aot) -> None:
    done = aot("bulid")
    assert (done.status, done.stdout) == (2, "")
    assert "bulid" in done.stderr


def test_an_error_says_reason_remedy_id_and_exits_with_its_class(aot: Aot) -> None:
    done = aot("toolchain", "show", "nope")
    assert done.status == 5
    assert "there is no toolchain 'nope'" in done.stderr
    assert "what to do:" in done.stderr
    assert "unknown-toolchain" in done.stderr
    assert done.stdout == ""


def test_with_json_an_error_is_the_one_document(aot: Aot) -> None:
    document = aot("toolchain", "show", "nope", "--json").document
    assert document["schema_version"] == 1
    assert document["error"]["id"] == "unknown-toolchain"
    assert document["error"]["exit_code"] == 5
    assert document["error"]["remedy"]


def test_a_usage_error_is_a_document_too(aot: Aot) -> None:
    done = aot("plan", str(EXAMPLE), "--target", "h100", "--json")
    assert done.status == 2
    assert done.document["error"]["id"] == "usage"
    assert "h100" in done.document["error"]["reason"]


@pytest.mark.parametrize("each", list(ErrorId))
def test_every_error_id_ends_in_the_code_of_its_class(
    each: ErrorId, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise AotError(each, reason="why", remedy="what", facts={"more": [1]})

    monkeypatch.setattr(main.cli, "make_context", fail)
    assert main.run(["--json"]) == each.error_class.exit_code
    printed = capsys.readouterr()
    assert each.string_id in printed.err
    assert json.loads(printed.out)["error"]["more"] == [1]


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (KeyboardInterrupt(), errors.EXIT_SIGINT),
        (main.Terminated(), errors.EXIT_SIGTERM),
        (RuntimeError("a defect"), errors.EXIT_INTERNAL),
    ],
)
def test_other_ends(
    raised: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(main.cli, "make_context", fail)
    assert main.run([]) == status
    if status == errors.EXIT_INTERNAL:
        assert "RuntimeError: a defect" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(aot: Aot) -> None:
    process = aot.start("toolchain", "show", "sdk2.28.0")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_exit_codes_of_the_readme_are_generated() -> None:
    assert {each.exit_code for each in ErrorClass} >= set(range(2, 13))


def test_a_full_output_is_no_defect(aot: Aot) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "aot", "toolchain", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=aot.environment,
        )
    assert done.returncode == ErrorClass.STORE.exit_code
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_options_that_requests_bring_themselves_are_refused(aot: Aot) -> None:
    done = aot("fingerprint", "--requests", "/dev/null", "--env", "A=1")
    assert done.status == 2
    assert "--env does not go with --requests" in done.stderr
