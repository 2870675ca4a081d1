"""Pure parts of the model room: ids, canonical paths, file selection, Hub settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aot.errors import AotError, ErrorId
from aot.model.hub_settings import HubSettings
from aot.model.model_files import PATTERNS, kind_of, select
from aot.model.model_path import canonical_path, is_hub_id, local_id

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/mnt/models/Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("/data/my-model", "my-model"),
        ("/home/ada/my-model", "my-model"),
        (f"/root/.cache/huggingface/hub/models--Qwen--Qwen3-8B/snapshots/{SHA}", "Qwen/Qwen3-8B"),
        (f"/cache/models--gpt2/snapshots/{SHA}", "gpt2"),
        ("/models/my-model", "my-model"),
        ("/", "model"),
    ],
)
def test_the_id_that_a_directory_suggests(path: str, expected: str) -> None:
    assert local_id(Path(path)) == expected


def test_the_path_defaults_to_the_id() -> None:
    assert canonical_path("Qwen/Qwen3-8B", None) == ("/models/Qwen/Qwen3-8B", [])


@pytest.mark.parametrize(
    ("given_path", "word"),
    [("/models/x/", "trailing slash"), ("/models//x", "'//'"), ("/models/../x", "'..'"), ("/models/./x", "'.'")],
)
def test_an_odd_path_is_kept_verbatim_with_a_warning(given_path: str, word: str) -> None:
    path, warnings = canonical_path("x", given_path)
    assert path == given_path
    assert len(warnings) == 1
    assert word in warnings[0]


@pytest.mark.parametrize("given_path", ["", "models/x", "/", "/a\nb", "Qwen/Qwen3-8B", "~/x"])
def test_a_path_that_no_pod_could_use(given_path: str) -> None:
    with pytest.raises(AotError) as caught:
        canonical_path("x", given_path)
    assert caught.value.error_id is ErrorId.USAGE


@pytest.mark.parametrize("model", ["gpt2", "Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B-Instruct", "01-ai/Yi_1.5", "a/b"])
def test_hub_ids(model: str) -> None:
    assert is_hub_id(model)


@given(st.text(max_size=30))
def test_an_id_is_always_a_safe_path(model: str) -> None:
    if is_hub_id(model):
        assert canonical_path(model, None)[1] == []
        assert not {"", ".", ".."} & set(model.split("/"))


def test_ids_agree_with_the_client() -> None:
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    for model in ("gpt2", "a/b", "a--b", "a..b", "a/b.git", "a/b/c", "x" * 97, "a/-b", ".a", "a.", "a b", "a/_b"):
        try:
            validate_repo_id(model)
        except HFValidationError:
            assert not is_hub_id(model), model


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("config.json", "config"),
        ("tokenizer.model.v3", "tokenizer"),
        ("qwen.tiktoken", "tokenizer"),
        ("chat_template.jinja", "template"),
        ("additional_chat_templates/tool_use.jinja", "template"),
        ("modeling_x.py", "code"),
        ("model-00001-of-00002.safetensors", "weights"),
        ("consolidated.safetensors", None),
        ("original/tokenizer.model", None),
        ("onnx/model.safetensors", None),
        ("pytorch_model.bin", None),
        ("CONFIG.JSON", None),
    ],
)
def test_which_files_are_read(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def test_selection_does_not_depend_on_order() -> None:
    names = [pattern.glob.replace("*", "x") for pattern in PATTERNS]
    forward = select(names, trust_remote_code=True, with_weights=True)
    assert forward == select(reversed(names), trust_remote_code=True, with_weights=True) == sorted(names)
    assert not any(
        name.endswith((".py", ".safetensors")) for name in select(names, trust_remote_code=False, with_weights=False)
    )


def test_settings_follow_the_same_variables_as_the_client() -> None:
    hub = HubSettings.from_environment({"HF_HOME": "/h", "HF_ENDPOINT": "http://hub/", "HF_HUB_OFFLINE": "yes"})
    assert (hub.cache_dir, hub.endpoint, hub.offline) == (Path("/h/hub"), "http://hub", True)
    assert HubSettings.from_environment({"HF_HUB_CACHE": "/c", "HF_HOME": "/h"}).cache_dir == Path("/c")
    assert HubSettings.from_environment({"XDG_CACHE_HOME": "/x"}).cache_dir == Path("/x/huggingface/hub")
    assert HubSettings.from_environment({"HF_HUB_OFFLINE": "0"}).offline is False


def test_the_default_cache_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    program = "from huggingface_hub import constants as c; print(c.HF_HUB_CACHE, c.ENDPOINT)"
    shown = subprocess.run(
        [sys.executable, "-c", program], env={"HOME": "/home/ada"}, check=True, capture_output=True, text=True
    )
    monkeypatch.setenv("HOME", "/home/ada")
    hub = HubSettings.from_environment({})
    assert shown.stdout.split() == [str(hub.cache_dir), hub.endpoint]


@pytest.mark.parametrize("endpoint", ["http://user:secret@hub/x", "http://hub/x", "hub/x", "http://["])
def test_the_endpoint_is_shown_without_credentials(endpoint: str) -> None:
    assert "secret" not in HubSettings(endpoint=endpoint).shown_endpoint
    assert HubSettings(endpoint=endpoint).shown_endpoint == endpoint.replace("user:secret@", "")
