from __future__ import annotations

import click
import pytest

from aot.cli.common import human_int, parse_additional_config
from aot.errors import AotError, ErrorId


@pytest.mark.parametrize(
    ("text", "value"),
    [("2048", 2048), ("8k", 8000), ("8K", 8192), ("1.5k", 1500), ("1m", 1_000_000), ("1M", 1 << 20), ("2g", 2 * 10**9)],
)
def test_lengths_are_read_as_vllm_reads_them(text: str, value: int) -> None:
    assert human_int(text) == value


@pytest.mark.parametrize("text", ["", "k", "8kb", "-1", "1.5", "1.5K", "0x10", "1e3", "٣"])
def test_what_vllm_does_not_read_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        human_int(text)


def test_additional_config_is_an_object() -> None:
    assert parse_additional_config(None) is None
    assert parse_additional_config('{"override_neuron_config": {"fused_qkv": true}}') == {
        "override_neuron_config": {"fused_qkv": True}
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '{"override_neuron_config": 1}'])
def test_a_malformed_additional_config_says_what_is_wrong(text: str) -> None:
    with pytest.raises(AotError) as caught:
        parse_additional_config(text)
    assert caught.value.error_id is ErrorId.ADDITIONAL_CONFIG
    assert "JSON object" in caught.value.remedy
