"""A command and config.json as a request; what of it stays outside the hash."""

from __future__ import annotations

from aot.serve_command import outside_the_hash, to_request

from .support import understood

CONFIG = {"model_type": "qwen3"}


def test_the_request_of_a_command() -> None:
    command = understood("NEURON_LOGICAL_NC_CONFIG=1 HF_TOKEN=hf_x vllm serve /m -tp 2 --port 80")
    request = to_request(command, CONFIG, "trn2", {"NEURON_LOGICAL_NC_CONFIG": "2", "NEURON_CC_FLAGS": "-O1"})
    assert (request.model_dir, request.detected_platform, request.hf_config) == ("/m", "trn2", CONFIG)
    assert request.engine_args == {"tensor_parallel_size": 2}
    assert request.env == {"NEURON_LOGICAL_NC_CONFIG": "1"}  # the command's own wins; secrets are not kept
    assert to_request(command, CONFIG, None, model_path="/n/").model_dir == "/n/"


def outside(text: str, env: dict[str, str] | None = None) -> list[str]:
    command = understood(text)
    return outside_the_hash(command, to_request(command, CONFIG, "inf2", env), env or {})


def test_what_stays_outside() -> None:
    text = "X=1 vllm serve /m -tp 2 --port 80 --seed 1 --max-model-len 8 --hf-overrides.rope_theta 1"
    assert outside(text, {"NEURON_CC_FLAGS": "", "HF_HUB_OFFLINE": "0"}) == [
        "--hf-overrides", "--port", "--seed", "NEURON_CC_FLAGS", "X",
    ]  # fmt: skip
    assert outside("vllm serve /m --hf-overrides.architectures+ LlamaForCausalLM") == []


def test_flags_that_another_one_switches_off() -> None:
    flags = "--enable-chunked-prefill --max-num-batched-tokens 4k --block-size 32"
    tokens = ["--enable-chunked-prefill", "--max-num-batched-tokens"]
    assert outside(f"vllm serve /m {flags}") == tokens
    assert outside(f"vllm serve /m {flags} --no-enable-prefix-caching") == ["--block-size", *tokens]
    assert outside(f"DISABLE_NEURON_CUSTOM_SCHEDULER=1 vllm serve /m {flags} --no-enable-prefix-caching") == []
