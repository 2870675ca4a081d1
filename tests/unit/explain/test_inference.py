"""Going back from a document to inputs, proven on every vector."""

from __future__ import annotations

import json

import pytest

from aot.explain.experiment import Laboratory
from aot.explain.inference import guess_toolchain, infer
from aot.explain.inputs import Inputs, Known, flatten, unflatten
from aot.fingerprint import compute, parse_request
from aot.fingerprint.explain import differences
from aot.toolchain import load_profile
from tests.unit.explain.vectors import vectors

TOOLCHAINS = ("sdk2.27.1", "sdk2.28.0", "sdk2.29.0")


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_nearly_every_document_is_reproduced_from_itself_alone(toolchain):
    laboratory = Laboratory(load_profile)
    missed = []
    for name, row in vectors(toolchain).items():
        document = json.loads(row["canonical_json"])
        computed = laboratory.document(infer(document, Known(), None, toolchain, laboratory))
        if computed is None or differences(computed, document):
            missed.append(name)
    # hf_overrides, an enum member that only an override gives, and batches beyond vLLM's token budget
    assert set(missed) <= {
        "arg-hf_overrides-architectures",
        "ov-attn-dp-cascaded-inf2",
        "ov-lm-head-pad-false-trn2",
        "seqs-4096-len1-cp-false",
        "seqs-4096-mnbt-8192",
    }


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_the_release_is_recognised_by_its_attributes(toolchain):
    profiles = {name: load_profile(name) for name in TOOLCHAINS}
    for row in vectors(toolchain).values():
        assert guess_toolchain(json.loads(row["canonical_json"]), profiles) == toolchain


@pytest.mark.parametrize("document", [{}, {"neuron_config": None}, {"neuron_config": {"x": 1}}])
def test_what_is_no_configuration_is_of_no_release(document):
    assert guess_toolchain(document, {name: load_profile(name) for name in TOOLCHAINS}) is None


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_flattening_loses_nothing_that_is_hashed(toolchain):
    for name, row in vectors(toolchain).items():
        inputs = unflatten(flatten(Inputs(parse_request(row), toolchain)))
        assert compute(inputs.request, load_profile(toolchain)).md5 == row["md5"], name
