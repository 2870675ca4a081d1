"""What vLLM's parser does that its user may not expect is done, and said."""

from __future__ import annotations

import pytest

from aot.serve_command import CommandError

from .support import VLLM, arguments, table

OVERRIDE = {"override_neuron_config": {"fused_qkv": True}}


def test_dotted_keys_replace_the_json_of_the_same_flag() -> None:
    words = ("/m", "--additional-config", '{"a": 1}', "--additional-config.b.c", "2")
    assert arguments(*words).engine_args == {"additional_config": {"b": {"c": 2}}}


def test_dotted_keys_and_lists() -> None:
    words = ("/m", "--additional_config.override_neuron_config.fused_qkv", "true", "--additional-config.l+=x,y",
             "--additional-config.l+", "z")  # fmt: skip
    assert arguments(*words).engine_args == {"additional_config": {**OVERRIDE, "l": ["x", "y", "z"]}}


def test_a_false_switch_in_a_config_file_is_ignored_and_said() -> None:
    command = arguments(
        "/m", "--config", "c.yaml", files={"c.yaml": "enable-prefix-caching: false\nmax_model_len: 8k\n"}
    )
    assert command.engine_args == {"max_model_len": 8000}
    assert any("enable-prefix-caching: false" in note for note in command.notes)


def test_config_with_an_equals_sign_is_ignored_and_said() -> None:
    command = arguments("/m", "--config=c.yaml")
    assert command.engine_args == {}
    assert "--config=FILE" in command.notes[0]


def test_the_command_line_wins_over_the_config_file() -> None:
    files = {"c.yml": "model: /other\ntensor-parallel-size: 4\nmax-num-seqs: 8\n"}
    command = arguments("/m", "-tp", "2", "--config", "c.yml", files=files)
    assert (command.model, command.engine_args) == ("/m", {"tensor_parallel_size": 2, "max_num_seqs": 8})


def test_nested_config_files_from_0_16_on() -> None:
    files = {"c.yaml": "additional-config:\n  override_neuron_config:\n    fused_qkv: true\n"}
    with pytest.raises(CommandError, match="additional-config"):
        arguments("/m", "--config", "c.yaml", files=files)
    assert (
        arguments("/m", "--config", "c.yaml", files=files, release="0.16.0").engine_args["additional_config"]
        == OVERRIDE
    )


@pytest.mark.parametrize("content", ["", "- a\n", "a: [\n", "1: 2\n", "\x00", "!!python/object:os.system {}\n"])
def test_config_files_that_are_none(content: str) -> None:
    with pytest.raises(CommandError, match=r"c\.yaml"):
        arguments("/m", "--config", "c.yaml", files={"c.yaml": content})


def test_no_model_is_vllms_default_and_said() -> None:
    command = arguments("-tp", "2")
    assert command.model == "Qwen/Qwen3-0.6B"
    assert command.model in command.notes[0]


def test_the_module_ignores_a_positional_model() -> None:
    command = arguments("/m", "--model", "/n", module=True)
    assert command.model == "/n"
    assert "'/m'" in command.notes[0]


def test_server_flags_and_secrets_are_kept_apart() -> None:
    command = arguments("/m", "--port", "80", "--api-key", "k", "--hf-token", "hf_x", "--seed", "1")
    assert command.engine_args == {"seed": 1}
    assert command.server_flags == ["api_key", "hf_token", "port"]


@pytest.mark.parametrize(
    "words",
    [
        ("--additional-config", '{"a": ' * 100_000 + "}"),
        ("--additional-config." + "a." * 3000 + "b", "1"),
        ("--max-model-len", "9" * 400 + "k"),
        ("--enable-log-outputs",),
        ("--help",),
        ("--compilation-config", "[]"),
    ],
)
def test_hostile_or_useless_values_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        arguments("/m", *words)


@pytest.mark.parametrize("release", VLLM)
def test_the_table_covers_every_field_of_engine_args(release: str) -> None:
    from aot import toolchain

    flags = {name for name, flag in table(release)["flags"].items() if not flag.get("server")}
    for name in toolchain.names():
        profile = toolchain.load_profile(name)
        if profile is not None and toolchain.load(name).vllm == release:
            assert flags - {"model"} <= profile["engine"]["fields"].keys()
