"""Logs, in the forms that vLLM, the plugin and NxDI print."""

from __future__ import annotations

import pytest

from aot.explain import log, logs
from aot.explain.python_repr import LIMIT, OPAQUE, parse_dict
from tests.unit.explain.vectors import asked, compare, vectors

BASE = "base-qwen3-8b"
PREFIXES = [
    "",
    "(EngineCore_DP0 pid=42) ",
    "\x1b[36m(EngineCore_DP0 pid=42)\x1b[0;0m DEBUG 11-22 10:00:00 [config.py:898] ",
    "2025-11-22T10:00:00.123456789Z (EngineCore_DP0 pid=42) ",
]
ARGUMENTS = (
    "(APIServer pid=1) INFO 11-22 10:00:00 [utils.py:253] non-default args: {'model_tag': '/models/Qwen/Qwen3-8B', "
    "'api_key': ['sk-secret'], 'host': '0.0.0.0', 'model': '/models/Qwen/Qwen3-8B', 'max_model_len': 4096, "
    "'block_size': 32, 'tensor_parallel_size': 2, 'max_num_seqs': 2, 'enable_prefix_caching': False, "
    "'dtype': 'bfloat16', 'structured': StructuredConfig(backend='auto'), 'kind': <Kind.A: 'a'>}\n"
)


def lines(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("words", "form"), [("Saving", "saved config"), ("Loaded Neuron", "loaded config")])
def test_a_printed_configuration_is_read_over_its_lines(prefix, words, form):
    printed = f"{words} config: {vectors()[BASE]['canonical_json']}"
    text = "starting\n" + "".join(f"{prefix}{line}\n" for line in printed.splitlines()) + f"{prefix}next\n"
    found = log.read(lines(text))
    assert found is not None
    assert (found.form, found.line) == (form, 2)
    side = logs.as_side("pod.log", found)
    assert side.md5 == vectors()[BASE]["md5"]


def test_flags_are_compared_with_what_the_other_side_lends():
    explanation = compare(asked(BASE), logs.side("pod.log", lines(ARGUMENTS)))
    assert [(cause.name, cause.left, cause.right) for cause in explanation.causes] == [("--max-model-len", 2048, 4096)]
    assert explanation.right.md5 == vectors()["len-4096"]["md5"]


def test_flags_of_the_http_server_never_reach_the_explanation():
    side = logs.side("pod.log", lines(ARGUMENTS))
    assert "secret" not in repr(side)
    assert set(side.known.engine_args or {}) == {
        "max_model_len",
        "block_size",
        "tensor_parallel_size",
        "max_num_seqs",
        "enable_prefix_caching",
        "dtype",
    }


def test_the_last_start_of_a_pod_counts():
    again = ARGUMENTS.replace("4096", "8192")
    found = log.read(lines(ARGUMENTS + "restarted\n" + again))
    assert found is not None
    assert found.value["max_model_len"] == 8192


def test_arguments_of_neuron_config_are_laid_over_the_other_side():
    text = (
        "DEBUG Neuron Config: {'tp_degree': 4, 'seq_len': 2048, 'batch_size': 2, 'torch_dtype': torch.bfloat16, "
        "'on_device_sampling_config': <neuronx.OnDeviceSamplingConfig object at 0x7f00>, 'lora_config': None}\n"
    )
    explanation = compare(asked(BASE), logs.side("pod.log", lines(text)))
    assert explanation.causes[0].name == "--tensor-parallel-size"
    assert explanation.right.md5 is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing here\n",
        "Saving config: {\n  broken\n",
        "non-default args: {'a': \n",
        "non-default args: {" + "[" * 5000 + "\n",
        "non-default args: {" + "x" * (LIMIT + 1) + "}\n",
        "\x00\xff\n" * 50,
    ],
)
def test_a_log_without_a_readable_configuration_has_none(text):
    assert log.read(lines(text)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "{'a': -1, 'b': 1.5, 'c': None, 'd': (1, 2), 'e': \"it's\"}",
            {"a": -1, "b": 1.5, "c": None, "d": [1, 2], "e": "it's"},
        ),
        ("{'a': torch.bfloat16, 'b': inf, 1: 'x'}", {"a": "bfloat16", "b": float("inf"), "1": "x"}),
        ("{'a': '<not an object>'}", {"a": "<not an object>"}),
        ("{'a': __import__('os').system('true'), 'b': open}", {"a": OPAQUE, "b": OPAQUE}),
        ("{'a': <enum 'A'>, 'b': <Foo at 0x1>}", {"a": OPAQUE, "b": OPAQUE}),
    ],
)
def test_a_printed_dict_is_read_and_never_run(text, value):
    assert parse_dict(text) == value


@pytest.mark.parametrize("text", ["", "[1]", "{1, 2}", "{'a': 1} {", "{'a': \x00}"])
def test_what_is_no_dict_is_none(text):
    assert parse_dict(text) is None
