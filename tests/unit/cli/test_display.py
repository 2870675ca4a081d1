"""Text of models, logs and foreign artifacts must not reach a terminal, or GitHub's runner, as anything but text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aot.cli import display, progress
from aot.errors import AotError, ErrorId
from aot.progress import Progress
from tests.support.cli import EXAMPLE, Aot

HOSTILE = "Llama\x1b[2J\x9b31m\x07\u202e\rForCausalLM"
COMMANDS = "first\n::add-mask::x\n  ::stop-commands::y\nmiddle ##[set-env name=A]b"


@pytest.fixture(autouse=True)
def outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def is_plain(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


def commands_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def test_clean_keeps_text_lines_and_tabs() -> None:
    assert display.clean("Größe\t日本\nnext") == "Größe\t日本\nnext"
    assert is_plain(display.clean(HOSTILE))
    assert is_plain(display.clean("\ud800"))
    assert display.clean_line("a\r\nb\tc") == "a b c"


def test_on_github_nothing_printed_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands_in(display.clean(COMMANDS)), "elsewhere text stays as it is"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert commands_in(display.clean(COMMANDS)) == []


SAYINGS: dict[str, Callable[[Progress, str], None]] = {
    "info": lambda voice, text: voice.info(text),
    "warn": lambda voice, text: voice.warn(text),
    "line": lambda voice, text: voice.line(text),
}


@pytest.mark.parametrize("say", SAYINGS)
@pytest.mark.parametrize("face", [progress.Plain, progress.GitHub])
def test_progress_is_plain(say: str, face: type[progress.Plain], capsys: pytest.CaptureFixture[str]) -> None:
    voice = face(verbose=True)
    with voice.group(HOSTILE):
        SAYINGS[say](voice, HOSTILE)
    assert is_plain(capsys.readouterr().err)


@pytest.mark.parametrize("say", SAYINGS)
def test_on_github_progress_gives_no_commands_but_its_own(say: str, capsys: pytest.CaptureFixture[str]) -> None:
    voice = progress.GitHub(verbose=True)
    with voice.group(COMMANDS):
        SAYINGS[say](voice, COMMANDS)
    said = [line.split("::")[1] for line in commands_in(capsys.readouterr().err)]
    assert [name for name in said if name != "warning title=aot"] == ["group", "endgroup"]


def test_an_error_is_plain_and_shows_the_end_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    tail = [f"line {number} {HOSTILE}" for number in range(40)]
    problem = AotError(ErrorId.RUNNER_DIED, reason=HOSTILE, remedy=HOSTILE, facts={"log_tail": tail})
    display.error(problem, wants_json=True)
    printed = capsys.readouterr()
    assert is_plain(printed.err)
    assert ("line 25" in printed.err, "line 24" in printed.err, "line 39" in printed.err) == (True, False, True)
    assert json.loads(printed.out)["error"]["log_tail"] == tail, "a document is data, kept to the letter"
    assert is_plain(printed.out)


def test_a_document_is_no_command_and_holds_any_text(capsys: pytest.CaptureFixture[str]) -> None:
    display.document({"text": COMMANDS + "\x9b\ud800"})
    printed = capsys.readouterr().out
    assert commands_in(printed) == []
    assert json.loads(printed)["text"] == COMMANDS + "\x9b\ud800"


def test_tables_and_facts_keep_a_row_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    display.table(["A", "B"], [[HOSTILE, "x\ny"]])
    display.facts([("name", "one\ntwo"), ("other", HOSTILE)])
    printed = capsys.readouterr().out
    assert is_plain(printed)
    assert len(printed.splitlines()) == 4


def hostile_model(directory: Path) -> Path:
    directory.mkdir()
    for path in EXAMPLE.iterdir():
        (directory / path.name).write_bytes(path.read_bytes())
    config = json.loads((directory / "config.json").read_bytes())
    (directory / "config.json").write_text(json.dumps({**config, "architectures": [HOSTILE]}))
    return directory


@pytest.mark.parametrize("verb", [("plan", "-tp", "2"), ("eos", "check"), ("build", "--simulate", "--engine", "local")])
def test_verbs_print_a_hostile_model_as_text(tmp_path: Path, verb: tuple[str, ...]) -> None:
    model = hostile_model(tmp_path / "a\x1b[2Jb")
    done = Aot(tmp_path / "home")(*verb, str(model))
    assert done.stderr + done.stdout
    assert is_plain(done.stderr + done.stdout)


def test_errors_explain_prints_a_hostile_log_as_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"ERROR:neuronxcc: \x1b]0;title\x07 {HOSTILE}\nRuntimeError: neuronx-cc failed with 1 \x9b2J\n")
    done = Aot(tmp_path / "home")("errors", "explain", str(log))
    assert done.status == 0
    assert "failed" in done.stdout
    assert is_plain(done.stdout)
