"""The sets of what can enter the hash are those that the documentation's experiments find."""

from __future__ import annotations

from dataclasses import replace

from aot.fingerprint import reach
from tests.docs.experiments import BASE, ENTERS, NOT_COVERED, REFUSED, Laboratory, with_args, with_env
from tests.docs.fingerprint_table import flag_rows, other_flag_rows, render, variable_rows

LAB = Laboratory()


def test_every_flag_of_the_set_enters_and_no_other() -> None:
    entering = {row.change.split(",")[0].split()[0] for row in flag_rows(LAB) if ENTERS in row.kinds}
    conditional = {"--enable-chunked-prefill", "--additional-config"}  # seen among variables and in its own section
    assert entering | conditional == {f"--{name.replace('_', '-')}" for name in reach.FLAGS}
    assert not [row.change for row in other_flag_rows(LAB) if ENTERS in row.kinds]


def test_every_variable_of_the_set_matters_and_no_other() -> None:
    mattering = {ENTERS, NOT_COVERED, REFUSED}
    found = {row.change.strip("`").split("=")[0].split("`")[0] for row in variable_rows(LAB) if row.kinds & mattering}
    assert found | set(reach.OFFLINE) == reach.VARIABLES
    offline = [LAB.row("", with_env(replace(BASE, model_dir="a/b"), **{name: "1"})) for name in reach.OFFLINE]
    assert [row.kinds for row in offline] == [{NOT_COVERED}, {NOT_COVERED}]


def test_what_is_outside_can_be_left_out() -> None:
    """Flags reported as outside the hash: without them the hash is the same."""
    request = with_args(
        enable_chunked_prefill=True, max_num_batched_tokens=4096, seed=1, hf_overrides={"rope_theta": 1}
    )
    outside = reach.outside(request)
    assert outside == ["block_size", "enable_chunked_prefill", "hf_overrides", "max_num_batched_tokens", "seed"]
    without = with_args(request, **dict.fromkeys(outside))
    assert LAB.row("", without, base=request).kinds == {"no"}


def test_the_document_is_deterministic() -> None:
    assert render() == render()
