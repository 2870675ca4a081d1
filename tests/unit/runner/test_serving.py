"""The server's call sequence, against loaders shaped like those of different plugin releases."""

from __future__ import annotations

import sys
import types
from dataclasses import make_dataclass
from types import SimpleNamespace

import pytest

from aot.runner import serving
from aot.runner.failures import RunnerError
from aot.runner.job import Job


def vllm_config(**override):
    return SimpleNamespace(
        model_config=SimpleNamespace(model="/m", dtype="torch.bfloat16", max_model_len=128, quantization=None),
        cache_config=SimpleNamespace(block_size=32, enable_prefix_caching=True, num_gpu_blocks_override=None),
        parallel_config=SimpleNamespace(tensor_parallel_size=2),
        scheduler_config=SimpleNamespace(max_num_seqs=2, max_num_batched_tokens=131072, chunked_prefill_enabled=False),
        additional_config={"override_neuron_config": override} if override else {},
    )


def loader(*names, validate=None):
    """A module with the named helpers, each of which notes its call in ``calls``."""
    module = types.ModuleType("loader")
    module.calls = []

    def _get_default_neuron_config(
        model_config, cache_config, parallel_config, scheduler_config, lora_serving_config, speculative_config
    ):
        assert (lora_serving_config, speculative_config) == (None, None)
        return {"is_block_kv_layout": True, "tp_degree": parallel_config.tensor_parallel_size}

    def _get_neuron_config_after_override(default_neuron_config, overridden_neuron_config):
        module.calls.append(("override", dict(overridden_neuron_config)))
        return {**default_neuron_config, **overridden_neuron_config}

    def _validate_override_neuron_config(override_neuron_config, model_config):
        module.calls.append(("validate override",))
        return {**override_neuron_config, "checked": True}

    def _handle_pa_num_blocks(cache_config, neuron_config, override_neuron_config):
        module.calls.append(("blocks", "checked" in override_neuron_config))
        return neuron_config

    def _validate_neuron_config(cache_config, scheduler_config, model_config, neuron_config):
        module.calls.append(("validate",))
        return neuron_config

    given = locals()
    always = ("_get_default_neuron_config", "_get_neuron_config_after_override", "_validate_neuron_config")
    for name in (*always, *names):
        setattr(module, name, given[name])
    if validate is not None:
        module._validate_neuron_config = validate
    return module


def test_plugin_0_4_and_0_5():
    module = loader("_validate_override_neuron_config", "_handle_pa_num_blocks")
    config = serving._neuron_config(module, vllm_config(async_mode=True))
    assert module.calls == [
        ("validate override",),
        ("override", {"async_mode": True, "checked": True}),
        ("blocks", True),
        ("validate",),
    ]
    assert config["tp_degree"] == 2


def test_plugin_0_2_has_fewer_helpers_and_parameters():
    module = loader(
        "_handle_pa_num_blocks", validate=lambda cache_config, scheduler_config, neuron_config: neuron_config
    )
    serving._neuron_config(module, vllm_config())
    assert module.calls == [("override", {}), ("blocks", False)]


def test_a_release_without_block_handling():
    module = loader()
    serving._neuron_config(module, vllm_config())
    assert module.calls == [("override", {}), ("validate",)]


def test_a_release_that_wants_more_is_not_guessed_at():
    module = loader(validate=lambda neuron_config, moon_config: neuron_config)
    with pytest.raises(RunnerError, match="moon_config") as caught:
        serving._neuron_config(module, vllm_config())
    assert caught.value.kind == "environment"


def test_resolved_reads_either_name_of_chunked_prefill():
    config = vllm_config()
    assert serving.resolved(config)["enable_chunked_prefill"] is False
    config.scheduler_config = SimpleNamespace(max_num_seqs=2, max_num_batched_tokens=2048, enable_chunked_prefill=True)
    assert serving.resolved(config)["enable_chunked_prefill"] is True
    assert serving.resolved(config)["max_prompt_length"] is None


def test_fingerprint_is_the_md5_of_the_text():
    assert serving.fingerprint("{}") == "99914b932bd37a50b983c5e7c90ae93b"


def upstream(module, config):
    engine_args = make_dataclass("EngineArgs", ["model"])
    engine_args.create_engine_config = lambda self, usage_context: config
    usage_context = SimpleNamespace(OPENAI_API_SERVER=1)
    return serving.Upstream(module, engine_args, usage_context, lambda path: None)


def server(config):
    """A loader with all that is looked up; the config class takes anything."""
    config.model_config.hf_config = None
    module = loader()
    module._get_model_configs = lambda hf_config: ("LlamaForCausalLM",)
    model_class = SimpleNamespace(
        get_config_cls=lambda: lambda neuron_config, load_config: neuron_config, get_neuron_config_cls=lambda: dict
    )
    module._get_neuron_model_cls = lambda architecture: model_class
    return module


@pytest.fixture(autouse=True)
def constants(monkeypatch):
    for name in ("vllm_neuron", "vllm_neuron.worker", "vllm_neuron.worker.constants"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))


JOB = Job(action="compile", target="inf2", model_path="/m", output_dir="/o", cache_dir="/c", work_dir="/w")


def test_the_sequence_as_a_whole():
    config = vllm_config()
    built = serving.build(upstream(server(config), config), JOB)
    assert (built.architecture, built.resolved["max_num_seqs"]) == ("LlamaForCausalLM", 2)


@pytest.mark.parametrize("name", ["_get_model_configs", "_get_neuron_model_cls", "_validate_neuron_config"])
def test_a_renamed_helper_is_the_images_doing_and_no_refusal(name):
    config = vllm_config()
    module = server(config)
    delattr(module, name)
    with pytest.raises(RunnerError, match=name) as caught:
        serving.build(upstream(module, config), JOB)
    assert caught.value.kind == "environment"


def test_a_renamed_setting_that_is_only_recorded_is_no_refusal():
    config = vllm_config()
    module = server(config)
    del config.cache_config.num_gpu_blocks_override
    with pytest.raises(RunnerError, match="num_gpu_blocks_override") as caught:
        serving.build(upstream(module, config), JOB)
    assert caught.value.kind == "environment"


def test_what_upstream_raises_is_a_refusal():
    config = vllm_config()
    module = server(config)
    module._validate_neuron_config = lambda neuron_config: neuron_config.missing
    with pytest.raises(RunnerError, match="missing") as caught:
        serving.build(upstream(module, config), JOB)
    assert caught.value.kind == "refused"
