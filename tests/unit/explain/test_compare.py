"""Causes of genuine differences: every pair is computed by upstream's own code."""

from __future__ import annotations

import json

import pytest

from aot.errors import AotError, ErrorId
from aot.explain.compare import explain_upgrade
from aot.explain.inputs import Inputs, Name, flatten
from aot.explain.side import request_side
from aot.fingerprint import parse_request
from aot.fingerprint.explain import ABSENT, differences, same
from aot.toolchain import load_profile
from tests.unit.explain.vectors import asked, compare, shown, vectors

BASE = "base-qwen3-8b"


TOOLCHAINS = ("sdk2.27.1", "sdk2.28.0", "sdk2.29.0")


def changed_inputs(name: str, toolchain: str) -> list[Name]:
    rows = [vectors(toolchain)[each] for each in (BASE, name)]
    one, other = (flatten(Inputs(parse_request(row), toolchain)) for row in rows)
    return [key for key in {*one, *other} if not same(one.get(key, ABSENT), other.get(key, ABSENT))]


def one_at_a_time() -> list[tuple[str, str]]:
    """Vectors that differ from the base in one input, and in the hash."""
    return [
        (toolchain, name)
        for toolchain in TOOLCHAINS
        for name, row in vectors(toolchain).items()
        if row["md5"] != vectors(toolchain)[BASE]["md5"] and len(changed_inputs(name, toolchain)) == 1
    ]


def test_there_are_enough_single_changes_to_mean_something():
    assert len(one_at_a_time()) > 250


@pytest.mark.parametrize(("toolchain", "name"), one_at_a_time())
def test_the_one_input_that_differs_is_named_and_has_every_field(toolchain, name):
    [changed] = changed_inputs(name, toolchain)
    for left, right in ((BASE, name), (name, BASE)):
        explanation = compare(asked(left, toolchain), asked(right, toolchain))
        assert [cause.name for cause in explanation.causes] == [changed.shown]
        assert explanation.unattributed == ()
        assert changed.shown.split()[-1] in explanation.causes[0].change


@pytest.mark.parametrize("right", sorted(vectors()))
@pytest.mark.parametrize("as_document", [False, True])
def test_every_differing_field_is_told_exactly_once(right, as_document):
    explanation = compare(asked(BASE), (shown if as_document else asked)(right))
    texts = [json.loads(vectors()[name]["canonical_json"]) for name in (BASE, right)]
    expected = [(each.path, each.left, each.right) for each in differences(*texts)]
    fields = [field for cause in explanation.causes for field in cause.fields] + [*explanation.unattributed]
    assert sorted((field.path, repr(field.left), repr(field.right)) for field in fields) == sorted(
        (path, repr(left), repr(right)) for path, left, right in expected
    )
    assert explanation.equal == (vectors()[BASE]["md5"] == vectors()[right]["md5"])
    assert as_document or explanation.unattributed == ()
    assert (explanation.left.md5, explanation.right.md5) == (vectors()[BASE]["md5"], vectors()[right]["md5"])


@pytest.mark.parametrize(
    ("name", "causes"),
    [
        ("len-4096", ["--max-model-len"]),
        ("dtype-float16", ["--dtype"]),
        ("cp-false-pc-on", ["--enable-prefix-caching"]),
        ("detected-trn2", ["NEURON_PLATFORM_TARGET_OVERRIDE"]),
        ("hf-rope-theta-float", ["config.json rope_theta"]),
        ("hf-no-torch-dtype", ["config.json torch_dtype"]),
        ("path-trailing-slash", ["model path"]),
        ("ov-async-mode", ["--additional-config override_neuron_config.async_mode"]),
    ],
)
def test_causes_of_a_bare_document_are_inferred_and_say_so(name, causes):
    explanation = compare(asked(BASE), shown(name))
    assert [cause.name for cause in explanation.causes] == causes
    assert all(cause.inferred for cause in explanation.causes)
    assert explanation.unattributed == ()


def test_two_bare_documents():
    explanation = compare(shown("len-4096"), shown(BASE))
    assert [(cause.name, cause.left, cause.right) for cause in explanation.causes] == [("--max-model-len", 4096, 2048)]


def test_flags_come_before_environment_and_model_files():
    row = vectors()[BASE]
    document = {
        **row,
        "model_dir": row["model_dir"] + "/",
        "hf_config": {**row["hf_config"], "rope_theta": 7},
        "engine_args": {**row["engine_args"], "max_num_seqs": 16},
        "env": {"NEURON_PLATFORM_TARGET_OVERRIDE": "trn2"},
    }
    explanation = compare(asked(BASE), request_side("B", parse_request(document), "sdk2.29.0"))
    assert [cause.origin for cause in explanation.causes] == [
        "flag",
        "environment",
        "model path",
        "config.json",
        "toolchain",
    ]


def test_inputs_that_only_matter_together_are_one_cause():
    explanation = compare(asked(BASE), asked("disable-sched-cpc"))
    [cause] = explanation.causes
    assert set(cause.left) == {
        "--additional-config override_neuron_config.chunked_prefill_config",
        "DISABLE_NEURON_CUSTOM_SCHEDULER",
    }


def test_a_field_with_several_parents_names_the_others():
    explanation = compare(asked(BASE), asked("disable-sched-seqs-unset-cp-false"))
    blocks = [field for cause in explanation.causes for field in cause.fields if field.path.endswith("pa_num_blocks")]
    assert len(blocks) == 1
    assert "DISABLE_NEURON_CUSTOM_SCHEDULER" in blocks[0].also


def test_a_flag_outside_the_key_is_no_cause_but_is_told():
    explanation = compare(asked(BASE), asked("arg-seed"))
    assert explanation.equal
    assert explanation.causes == ()
    assert explanation.without_effect == ("--seed",)


def test_compiler_flags_and_targets_are_told_though_no_fingerprint_holds_them():
    explanation = compare(asked(BASE), asked("detected-trn1"))
    assert explanation.equal
    assert [(each.name, each.left, each.right) for each in explanation.outside] == [("target", "inf2", "trn1")]


@pytest.mark.parametrize("read", [asked, shown])
@pytest.mark.parametrize(
    ("toolchain", "change", "field"),
    [
        ("sdk2.29.0", "new", "neuron_config.enable_ve_data_parallel"),
        ("sdk2.27.1", "gone", "neuron_config.disable_argmax_kernel"),
    ],
)
def test_an_upgrade_is_one_cause_with_the_release_differences(read, toolchain, change, field):
    explanation = explain_upgrade(read(BASE), toolchain, load_profile, "sdk2.28.0")
    assert [(cause.origin, cause.right) for cause in explanation.causes] == [("toolchain", toolchain)]
    assert (field, change) in {(each.path, each.change) for each in explanation.causes[0].fields}
    assert explanation.right.md5 == vectors(toolchain)[BASE]["md5"]


def test_an_upgrade_that_the_new_release_refuses_says_so():
    row = dict(vectors()[BASE])
    override = {
        "attn_block_cte_nki_kernel_enabled": True,
        "attn_block_tkg_nki_kernel_enabled": True,
        "qkv_kernel_enabled": True,
    }
    row["engine_args"] = {**row["engine_args"], "additional_config": {"override_neuron_config": override}}
    with pytest.raises(AotError) as refusal:
        explain_upgrade(request_side("A", parse_request(row), "sdk2.28.0"), "sdk2.29.0", load_profile, "sdk2.28.0")
    assert refusal.value.error_id is ErrorId.REFUSED_BY_SERVER
    assert "sdk2.29.0" in refusal.value.reason


def test_a_request_that_names_no_toolchain_takes_that_of_the_other_side():
    unnamed = request_side("A", parse_request(vectors()[BASE]), None)
    for left, right in ((unnamed, asked(BASE, "sdk2.29.0")), (asked(BASE, "sdk2.29.0"), unnamed)):
        assert compare(left, right).equal
    assert not compare(unnamed.under("sdk2.28.0"), asked(BASE, "sdk2.29.0")).equal


def test_a_release_without_a_profile_is_not_covered():
    with pytest.raises(AotError) as limit:
        explain_upgrade(asked(BASE), "sdk2.31.0", load_profile, "sdk2.28.0")
    assert limit.value.error_id is ErrorId.NOT_COVERED


def test_a_document_that_no_inputs_give_is_still_told_field_by_field():
    side = shown("arg-hf_overrides-architectures")
    explanation = compare(asked(BASE), side)
    assert {field.path for field in explanation.unattributed} >= {"neuron_config.attn_cls.__name__"}
    assert {field.origin for field in explanation.unattributed} == {"NxDI"}
