"""Every case that the genuine upstream code computed, byte for byte, refusals included."""

from __future__ import annotations

import pytest

from aot.fingerprint import FingerprintError, compute, parse_request

from .support import TOOLCHAINS, profile, vectors


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_every_vector(toolchain):
    cases = vectors(toolchain)
    wrong = []
    for case in cases:
        try:
            answer = compute(parse_request(case), profile(toolchain))
        except FingerprintError as error:
            if "error" not in case or error.kind == "not_covered":
                wrong.append((case["id"], error.kind, error.message))
            continue
        if "error" in case or answer.canonical_json != case["canonical_json"] or answer.md5 != case["md5"]:
            wrong.append((case["id"], answer.md5))
        found = (answer.architecture, answer.model_class, answer.config_class, answer.neuron_config_class)
        if "error" not in case:
            assert found == tuple(case[key] for key in ("architecture", "model_cls", "config_cls", "neuron_config_cls"))
    assert len(cases) == 427
    assert wrong == []


def test_releases_differ_where_upstream_differs():
    same_request = [{case["id"].split("/")[1]: case.get("md5") for case in vectors(name)} for name in TOOLCHAINS]
    assert same_request[1]["base-qwen3-8b"] != same_request[2]["base-qwen3-8b"]
    assert same_request[0]["base-qwen3-8b"] != same_request[1]["base-qwen3-8b"]
