"""One change: another hash, or the change is documented as outside the key."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from aot.fingerprint import FingerprintError, NotCovered, compute, parse_request

from .support import ARGS, QWEN3, TOOLCHAINS, fingerprint, kind, profile

BASE = fingerprint().md5
plain = st.none() | st.booleans() | st.integers(-5, 5000) | st.floats(allow_nan=False) | st.text(max_size=8)
tree = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))

# Keys of config.json that transformers or NxDI overwrite or drop (README of the vectors, section 3).
OUTSIDE = {"_name_or_path", "name_or_path", "_commit_hash", "attn_implementation", "_attn_implementation", "metadata"}


# Attributes for which upstream takes an object and ignores anything else (empty values, for the first).
ONLY_OBJECTS = {"chunked_prefill_config", "tensor_capture_config", "tensor_replacement_config"}


@given(st.text(min_size=1).filter(lambda key: key not in OUTSIDE), tree)
def test_any_new_key_of_config_json_is_hashed(key, value):
    hf = {**QWEN3, key: value}
    if key in QWEN3 or kind(hf=hf) != "ok":
        return
    found = fingerprint(hf=hf)
    if found.md5 == BASE:  # only where it is the default that fills in anyway
        assert key in fingerprint().config or value == fingerprint().config.get(key, value)


@given(st.sampled_from(sorted(OUTSIDE)), tree)
def test_overwritten_keys_are_not_hashed(key, value):
    assert kind(hf={**QWEN3, key: value}) != "ok" or fingerprint(hf={**QWEN3, key: value}).md5 == BASE


@given(st.text(min_size=1))
def test_the_model_string_is_hashed_verbatim(path):
    found = fingerprint(model_dir=path)
    assert found.config["_name_or_path"] == path
    assert found.md5 != BASE


@given(st.integers(1, 64), st.integers(1, 200000), st.integers(1, 2048))
def test_degree_length_and_batch_are_hashed(degree, length, sequences):
    found = fingerprint(tensor_parallel_size=degree, max_model_len=length, max_num_seqs=sequences)
    neuron = found.config["neuron_config"]
    assert (neuron["tp_degree"], neuron["seq_len"], neuron["batch_size"]) == (degree, length, sequences)
    assert (found.md5 == BASE) == ((degree, length, sequences) == (2, 2048, 2))


@settings(max_examples=150)
@given(st.data())
def test_a_constant_attribute_is_hashed_when_overridden(data):
    """Where the override is accepted and differs from the default, the hash differs."""
    table = profile()["neuron_config"]["defaults"]
    name = data.draw(st.sampled_from(sorted(table.keys() - {"attn_cls"})))
    value = data.draw(st.booleans() | st.integers(-1, 5000) | st.just("x"))
    before = fingerprint().config["neuron_config"]
    if kind(override={name: value}) != "ok":
        return
    after = fingerprint(override={name: value}).config["neuron_config"]
    if name not in ONLY_OBJECTS and json.dumps(before[name]) != json.dumps(value):
        assert json.dumps(after) != json.dumps(before)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from([*ARGS, "additional_config", "hf_overrides", "seed", "quantization"]), tree),
       st.dictionaries(st.sampled_from([*QWEN3, "rope_scaling", "id2label", "layer_types", "dtype"]), tree),
       st.dictionaries(st.sampled_from(sorted(profile()["neuron_config"]["defaults"])), tree),
       st.sampled_from(TOOLCHAINS))  # fmt: skip
def test_nothing_but_the_three_errors_comes_out(args, hf, override, toolchain):
    args = {**ARGS, "additional_config": {"override_neuron_config": override}, **args}
    document = {"model_dir": "/m", "hf_config": {**QWEN3, **hf}, "engine_args": args, "detected_platform": "inf2"}
    before = json.dumps(document)
    error: FingerprintError | None = None
    try:
        first = compute(parse_request(document), profile(toolchain))
        assert first.md5 == compute(parse_request(json.loads(before)), profile(toolchain)).md5
    except FingerprintError as raised:
        error = raised
    assert error is None or (error.message and (error.remedy or isinstance(error, NotCovered)))
    assert json.dumps(document) == before
