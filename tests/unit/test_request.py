from __future__ import annotations

from aot.request import BuildRequest, ServeOptions


def test_serve_flags_carry_vllms_spelling() -> None:
    options = ServeOptions(
        tensor_parallel_size=2,
        enable_prefix_caching=False,
        enable_chunked_prefill=True,
        additional_config={"b": 1, "a": {"c": None}},
    )
    assert options.serve_flags() == [
        "--tensor-parallel-size",
        "2",
        "--no-enable-prefix-caching",
        "--enable-chunked-prefill",
        "--additional-config",
        '{"a":{"c":null},"b":1}',
    ]


def test_an_option_that_was_not_given_is_absent() -> None:
    assert ServeOptions().engine_args() == {}
    assert ServeOptions(block_size=32).engine_args() == {"block_size": 32}


def test_lnc_is_a_variable_on_both_sides() -> None:
    assert BuildRequest(model="m").environment() == {}
    assert BuildRequest(model="m", logical_nc_config=1).environment() == {"NEURON_LOGICAL_NC_CONFIG": "1"}
