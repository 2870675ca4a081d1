"""Local model directories: what is read, what identifies them, and every way in which one cannot be used."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aot.errors import AotError, ErrorId
from aot.model import fetch
from tests.support.ordinary_user import ordinary_user

CONFIG = {"model_type": "qwen3", "rope_theta": 1000000, "rms_norm_eps": 1e-06, "attention_dropout": 0.0}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "models" / "org" / "name"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(CONFIG))
    (directory / "tokenizer_config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"w" * 100)
    (directory / "modeling_name.py").write_text("raise SystemExit")
    (directory / "notes.txt").write_text("not read")
    return directory


def refused(error_id: ErrorId, *words: str) -> pytest.RaisesExc[AotError]:
    def check(error: AotError) -> bool:
        text = f"{error.reason} {error.remedy}"
        assert error.error_id is error_id, text
        assert all(word in text for word in words), text
        return True

    return pytest.RaisesExc(AotError, check=check)


def test_only_config_and_tokenizer_files_are_read(model: Path) -> None:
    snapshot = fetch(str(model))
    assert set(snapshot.files) == {"config.json", "tokenizer_config.json"}
    assert (snapshot.commit, snapshot.downloaded_bytes, snapshot.warnings) == (None, 0, ())
    assert snapshot.id == "org/name"
    assert snapshot.path == "/models/org/name"


def test_numbers_keep_their_spelling(model: Path) -> None:
    config = fetch(str(model)).config
    assert json.dumps(config) == json.dumps(CONFIG)
    assert type(config["rope_theta"]) is int
    assert type(config["attention_dropout"]) is float


def test_weights_and_code_when_asked_for(model: Path) -> None:
    snapshot = fetch(str(model), with_weights=True, trust_remote_code=True)
    assert set(snapshot.files) == {"config.json", "tokenizer_config.json", "model.safetensors", "modeling_name.py"}
    assert "model.safetensors" not in snapshot.contents()


def test_identity_follows_content_and_nothing_else(model: Path, tmp_path: Path) -> None:
    before = fetch(str(model)).identity
    (model / "notes.txt").write_text("changed")
    os.utime(model / "config.json", (0, 0))
    assert fetch(str(model)).identity == before
    elsewhere = tmp_path / "elsewhere"
    model.rename(elsewhere)
    assert fetch(str(elsewhere)).identity == before
    (elsewhere / "tokenizer_config.json").write_text('{"eos_token": "x"}')
    assert fetch(str(elsewhere)).identity != before


def test_identity_covers_weights_that_go_into_the_artifact(model: Path) -> None:
    before = fetch(str(model), with_weights=True).identity
    (model / "model.safetensors").write_bytes(b"v" * 100)
    assert fetch(str(model), with_weights=True).identity != before


def test_a_directory_of_symlinks_is_materialised_as_files(model: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "config.json").symlink_to(model / "config.json")
    (linked / "tokenizer_config.json").symlink_to("nowhere")
    snapshot = fetch(str(linked))
    assert set(snapshot.files) == {"config.json"}
    snapshot.materialise(tmp_path / "stage")
    assert not (tmp_path / "stage" / "config.json").is_symlink()


def test_a_directory_edited_during_the_build_is_noticed(model: Path, tmp_path: Path) -> None:
    snapshot = fetch(str(model))
    (model / "config.json").write_text("{}")
    with refused(ErrorId.MODEL_UNREADABLE, "changed while"):
        snapshot.materialise(tmp_path / "stage")


def test_named_templates_lie_one_level_deeper(model: Path) -> None:
    (model / "additional_chat_templates").mkdir()
    (model / "additional_chat_templates" / "tool_use.jinja").write_text("x")
    assert fetch(str(model)).text("additional_chat_templates/tool_use.jinja") == b"x"
    assert fetch(str(model)).text("config.yaml") is None


def test_a_relative_directory_wins_over_the_hub(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent.parent)
    assert fetch("org/name").commit is None


def test_the_current_directory(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    assert fetch(".").path == "/models/org/name"


def test_a_revision_means_nothing_for_a_directory(model: Path) -> None:
    with refused(ErrorId.USAGE, "--revision main"):
        fetch(str(model), "main")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[1]", "JSON list where an object"),
        ('"text"', "JSON str where an object"),
        ("[" * 100_000, "not valid JSON"),
        ("\ufeff{}", "not valid JSON"),
    ],
)
def test_a_config_that_cannot_be_used(model: Path, content: str, word: str) -> None:
    (model / "config.json").write_text(content, encoding="utf-8")
    with refused(ErrorId.MODEL_UNREADABLE, "config.json", word):
        fetch(str(model))


def test_a_config_in_another_encoding(model: Path) -> None:
    (model / "config.json").write_bytes(b'{"model_type": "\xe9"}')
    with refused(ErrorId.MODEL_UNREADABLE, "not valid JSON"):
        fetch(str(model))


@pytest.mark.parametrize(
    ("other", "word"),
    [("Model.Q4.GGUF", "GGUF"), ("params.json", "Mistral"), ("model_index.json", "diffusers"), ("a", "Hugging Face")],
)
def test_no_config(model: Path, other: str, word: str) -> None:
    (model / "config.json").unlink()
    (model / other).write_text("{}")
    with refused(ErrorId.MODEL_NO_CONFIG, "has no config.json", word):
        fetch(str(model))


def test_a_file_instead_of_a_directory(model: Path) -> None:
    with refused(ErrorId.MODEL_UNREADABLE, "is a file", "directory that holds config.json"):
        fetch(str(model / "config.json"))


def test_a_dangling_symlink(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with refused(ErrorId.MODEL_UNREADABLE, "dangling symlink"):
        fetch(str(tmp_path / "link"))


def test_an_unreadable_directory() -> None:
    with ordinary_user() as home:
        model = home / "model"
        model.mkdir(mode=0)
        with refused(ErrorId.MODEL_UNREADABLE, "Permission denied", str(model)):
            fetch(str(model))
        model.chmod(0o700)


@pytest.mark.parametrize("model", ["/no/such/dir", "./typo", "../typo", "~/typo", "a/b/c", "Qwen/Qwen3-8B/"])
def test_a_path_that_does_not_exist_is_not_looked_up_on_the_hub(model: str) -> None:
    with refused(ErrorId.MODEL_NOT_FOUND, model, "Hub id"):
        fetch(model)


@pytest.mark.parametrize("model", ["", "org/na me", "org\\name", "-x", "org/name.git", "a--b/c", "a..b", "é"])
def test_neither_a_directory_nor_an_id(model: str) -> None:
    with refused(ErrorId.MODEL_NOT_FOUND, "Hub id"):
        fetch(model)


def test_a_url_is_answered_with_the_id() -> None:
    with refused(ErrorId.MODEL_NOT_FOUND, "without the address: Qwen/Qwen3-8B"):
        fetch("https://huggingface.co/Qwen/Qwen3-8B/tree/main")
