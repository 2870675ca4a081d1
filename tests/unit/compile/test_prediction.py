"""Risks of real models: those that should warn, and those that must not."""

from __future__ import annotations

from typing import Any

import pytest

from aot import toolchain
from aot.compile.known_errors import find
from aot.compile.prediction import Risk, logits_of, risks, warnings
from aot.request import ServeOptions, Target
from tests.support.models import CONFIGS

TOPK = "NCC_IXCG856"
PREFIX = "NCC_ITEN404-SimplifyNeuronTensor"
SMALL = "REPORTED-INF2-SMALL-MODELS"
GARBAGE = "REPORTED-QWEN-TP2-GARBAGE"
CPU_SAMPLING = {"override_neuron_config": {"on_device_sampling_config": None}}


def predict(
    model: str, target: Target = "inf2", chain: str = "sdk2.28.0", lnc: int | None = None, **given: Any
) -> dict[str, Risk]:
    options = ServeOptions(
        **{"tensor_parallel_size": 2, "max_model_len": 2048, "max_num_seqs": 2, "enable_prefix_caching": False, **given}
    )
    release = toolchain.load(chain)
    found = risks(CONFIGS[model], options, target, release, lnc or release.default_lnc[target], model)
    assert all(find(risk.error) is not None for risk in found)
    return {risk.error: risk for risk in found}


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("Qwen/Qwen3-8B", {}, {TOPK, GARBAGE}),
        ("Qwen/Qwen3-8B", {"max_num_seqs": 1}, {TOPK}),
        ("Qwen/Qwen3-8B", {"tensor_parallel_size": 8}, {TOPK}),
        ("Qwen/Qwen2.5-14B-Instruct", {"tensor_parallel_size": 4}, {TOPK}),
        ("Qwen/Qwen2.5-7B-Instruct", {}, {TOPK, GARBAGE}),
        ("meta-llama/Llama-3.1-8B-Instruct", {}, set()),
        ("meta-llama/Llama-3.1-8B-Instruct", {"enable_prefix_caching": True}, {PREFIX}),
        ("meta-llama/Llama-3.1-8B-Instruct", {"enable_prefix_caching": None}, {PREFIX}),
        ("mistralai/Mistral-7B-Instruct-v0.3", {"max_num_seqs": 8}, set()),
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", {}, set()),
        ("meta-llama/Llama-3.2-1B-Instruct", {}, {SMALL}),
        ("Qwen/Qwen2.5-1.5B-Instruct", {"max_num_seqs": 1}, {SMALL, TOPK}),
        ("Qwen/Qwen3-8B", {"additional_config": CPU_SAMPLING}, set()),
        ("Qwen/Qwen2.5-14B-Instruct", {"max_num_seqs": 1}, {TOPK, "NCC_EOOM001"}),
        ("meta-llama/Llama-3.1-70B-Instruct", {}, {"NCC_EOOM001"}),
        ("meta-llama/Llama-3.1-8B-Instruct", {"lnc": 2}, {"NCC_EARG001"}),
    ],
)
def test_risks_on_inf2(model: str, given: dict[str, Any], expected: set[str]) -> None:
    assert set(predict(model, **given)) == expected


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "Qwen/Qwen2.5-1.5B-Instruct", "meta-llama/Llama-3.2-1B-Instruct"])
def test_trn2_has_none_of_the_risks_of_the_older_generation(model: str) -> None:
    assert predict(model, "trn2", enable_prefix_caching=True) == {}


def test_trn1_shares_the_top_k_but_not_the_small_models() -> None:
    assert set(predict("Qwen/Qwen2.5-1.5B-Instruct", "trn1", max_num_seqs=1)) == {TOPK}


def test_what_concerns_one_release_is_not_said_of_an_older_one() -> None:
    assert set(predict("meta-llama/Llama-3.2-1B-Instruct", chain="sdk2.27.1", enable_prefix_caching=True)) == set()


def test_the_numbers_are_given_under_both_readings() -> None:
    risk = predict("Qwen/Qwen3-8B")[TOPK]
    assert risk.numbers["flattened_remainder"] == 4
    assert risk.numbers["vocabulary_remainder"] == 4
    assert risk.numbers["flattened_tiles"] == 10
    assert "2 x 75968 logits" in risk.why
    assert "151936 elements in 10 tiles of 15194, short by 4" in risk.why
    assert "under both readings" in risk.why
    assert risk.confidence == "inference"
    assert risk.remedy == "pad-topk"


def test_the_readings_may_disagree_and_it_is_said() -> None:
    risk = predict("Qwen/Qwen3-8B", max_num_seqs=4)[TOPK]
    remainders = [risk.numbers[name] for name in ("flattened_remainder", "context_remainder", "vocabulary_remainder")]
    assert remainders == [14, 2, 4]
    one = predict("Qwen/Qwen3-8B", tensor_parallel_size=32, max_num_seqs=1)[TOPK]
    assert one.numbers["flattened_remainder"] == 0
    assert "under one of two readings" in one.why


def test_nothing_is_ever_certain() -> None:
    for model in CONFIGS:
        for risk in predict(model, enable_prefix_caching=True).values():
            assert risk.verdict == "suspected"
            assert " will " not in risk.why
    assert "Qwen2.5-7B" in predict("Qwen/Qwen3-8B")[TOPK].why, "the counterexample is told"


def test_a_fine_tune_is_recognised_by_shape() -> None:
    options = ServeOptions(tensor_parallel_size=2, max_num_seqs=1, enable_prefix_caching=False)
    config = CONFIGS["meta-llama/Llama-3.2-1B-Instruct"]
    found = risks(config, options, "inf2", toolchain.load("sdk2.28.0"), 1, "someone/fine-tune")
    assert [risk.error for risk in found] == [SMALL]


def test_a_config_without_sizes_gives_no_risk_that_needs_them() -> None:
    found = risks({}, ServeOptions(enable_prefix_caching=False), "inf2", toolchain.load("sdk2.28.0"), 1)
    assert found == []


@pytest.mark.parametrize(
    ("degree", "target", "lnc", "expected"),
    [
        (2, "inf2", 1, []),
        (3, "inf2", 1, ["padded from 32 to 33", "no inf2 instance type is documented with a group of 3 cores"]),
        (5, "inf2", 1, ["padded from 32 to 35", "group of 5 cores"]),
        (12, "inf2", 1, ["padded from 32 to 36"]),
        (4, "trn1", 1, ["no trn1 instance type is documented with a group of 4 cores"]),
        (128, "trn2", 1, ["padded from 32 to 128"]),
    ],
)
def test_an_odd_degree_is_told(degree: int, target: Target, lnc: int, expected: list[str]) -> None:
    """NxDI pads heads and the plugin checks nothing: such a degree may work, so it is no refusal."""
    options = ServeOptions(tensor_parallel_size=degree)
    found = warnings(CONFIGS["meta-llama/Llama-3.1-8B-Instruct"], options, target, lnc)
    assert len(found) == len(expected)
    assert all(words in text for words, text in zip(expected, found, strict=True))
    assert all("not measured" in text or "not known" in text for text in found)


def test_the_operand_of_the_top_k_is_the_same_for_the_plan_and_for_a_failed_build() -> None:
    config, options = CONFIGS["Qwen/Qwen3-8B"], ServeOptions(tensor_parallel_size=2, max_num_seqs=2)
    found = logits_of(config, options)
    assert found is not None
    assert (found.batch, found.vocabulary, found.tensor_parallel) == (2, 151936, 2)
    on_cpu = ServeOptions(tensor_parallel_size=2, max_num_seqs=2, additional_config=CPU_SAMPLING)
    assert logits_of(config, on_cpu) is None, "without sampling on the device there is no such top-k"
