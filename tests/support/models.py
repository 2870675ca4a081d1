"""HF configs of well-known models: the keys that sizes and risks follow from, as published on the Hub."""

from __future__ import annotations

from typing import Any


def _dense(
    kind: str, hidden: int, layers: int, heads: tuple[int, int], wide: int, words: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "intermediate_size": wide,
        "vocab_size": words,
        "tie_word_embeddings": False,
        **more,
    }


CONFIGS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen3-8B": _dense("qwen3", 4096, 36, (32, 8), 12288, 151936, head_dim=128),
    "Qwen/Qwen3-0.6B": _dense("qwen3", 1024, 28, (16, 8), 3072, 151936, head_dim=128, tie_word_embeddings=True),
    "Qwen/Qwen3-32B": _dense("qwen3", 5120, 64, (64, 8), 25600, 151936, head_dim=128),
    "Qwen/Qwen2.5-1.5B-Instruct": _dense("qwen2", 1536, 28, (12, 2), 8960, 151936, tie_word_embeddings=True),
    "Qwen/Qwen2.5-7B-Instruct": _dense("qwen2", 3584, 28, (28, 4), 18944, 152064),
    "Qwen/Qwen2.5-14B-Instruct": _dense("qwen2", 5120, 48, (40, 8), 13824, 152064),
    "meta-llama/Llama-3.1-8B-Instruct": _dense("llama", 4096, 32, (32, 8), 14336, 128256),
    "meta-llama/Llama-3.2-1B-Instruct": _dense(
        "llama", 2048, 16, (32, 8), 8192, 128256, head_dim=64, tie_word_embeddings=True
    ),
    "meta-llama/Llama-3.1-70B-Instruct": _dense("llama", 8192, 80, (64, 8), 28672, 128256),
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": _dense("llama", 2048, 22, (32, 4), 5632, 32000),
    "mistralai/Mistral-7B-Instruct-v0.3": _dense("mistral", 4096, 32, (32, 8), 14336, 32768),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": _dense("mixtral", 4096, 32, (32, 8), 14336, 32000, num_local_experts=8),
    "Qwen/Qwen3-30B-A3B": _dense(
        "qwen3_moe",
        2048,
        48,
        (32, 4),
        6144,
        151936,
        head_dim=128,
        num_experts=128,
        moe_intermediate_size=768,
        mlp_only_layers=[],
        decoder_sparse_step=1,
    ),
    "openai/gpt-oss-20b": _dense("gpt_oss", 2880, 24, (64, 8), 2880, 201088, head_dim=64, num_local_experts=32),
}
