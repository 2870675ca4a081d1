"""What transformers' config classes make of a ``config.json``: defaults filled in, values derived.

Written down from the documentation of ``PretrainedConfig``, ``Qwen2Config``, ``Qwen3Config`` and ``LlamaConfig``.
"""

from . import DoesNotKnow
from .files import read_config
from .toolchains import current

_NONE = (
    "bad_words_ids begin_suppress_tokens bos_token_id cross_attention_hidden_size decoder_start_token_id eos_token_id "
    "exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id pad_token_id prefix "
    "problem_type sep_token_id suppress_tokens task_specific_params tokenizer_class"
)
_FALSE = (
    "add_cross_attention do_sample early_stopping is_decoder is_encoder_decoder output_attentions "
    "output_hidden_states output_scores remove_invalid_values return_dict_in_generate tf_legacy_loss "
    "tie_encoder_decoder torchscript use_bfloat16"
)
_ZERO = "chunk_size_feed_forward encoder_no_repeat_ngram_size min_length no_repeat_ngram_size"
_ONE = "num_beam_groups num_beams num_return_sequences"
GENERAL = {
    **dict.fromkeys(_NONE.split()),
    **dict.fromkeys(_FALSE.split(), False),
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_ONE.split(), 1),
    "diversity_penalty": 0.0, "length_penalty": 1.0, "max_length": 20, "repetition_penalty": 1.0,
    "return_dict": True, "temperature": 1.0, "top_k": 50, "top_p": 1.0, "typical_p": 1.0, "pruned_heads": {},
}  # fmt: skip
_COMMON = {
    "attention_dropout": 0.0, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "rms_norm_eps": 1e-06,
    "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": False, "use_cache": True,
}  # fmt: skip
_QWEN = {
    **_COMMON, "intermediate_size": 22016, "max_position_embeddings": 32768, "max_window_layers": 28,
    "sliding_window": 4096, "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
DENSE = {
    "qwen2": _QWEN,
    "qwen3": {**_QWEN, "attention_bias": False, "head_dim": 128},
    "llama": {
        **_COMMON, "attention_bias": False, "bos_token_id": 1, "eos_token_id": 2, "head_dim": None,
        "intermediate_size": 11008, "max_position_embeddings": 2048, "mlp_bias": False, "num_key_value_heads": None,
        "pretraining_tp": 1, "vocab_size": 32000,
    },
}  # fmt: skip
# Replaced by the model's own path, or dropped, or set apart as dtype.
_NOT_KEPT = ("_name_or_path", "name_or_path", "_commit_hash", "attn_implementation", "_attn_implementation",
             "torch_dtype", "dtype", "num_labels")  # fmt: skip
# Keys whose consequences are not written down here.
_STRANGE = ("neuron_config", "quantization_config", "layer_types")


def load(model: str) -> dict:
    """``to_dict()`` of the config class for the model at ``model``, with ``_name_or_path`` as given."""
    given = read_config(model)
    kind = given.get("model_type")
    if kind not in DENSE:
        raise DoesNotKnow(f"model type {kind!r} (it knows dense {', '.join(DENSE)})")
    strange = sorted(set(given) & set(_STRANGE))
    if strange:
        raise DoesNotKnow(f"{strange} in config.json")
    config = {**GENERAL, "architectures": None, **DENSE[kind]}
    config["transformers_version"] = current().versions["transformers"]
    config.update({key: value for key, value in given.items() if key not in _NOT_KEPT})
    config["_name_or_path"] = model
    if given.get("dtype") is None and given.get("torch_dtype") is None:
        config["dtype"] = None
    _labels(config, given)
    _attention(config)
    config["pruned_heads"] = {int(key): value for key, value in config["pruned_heads"].items()}
    return config


def _labels(config: dict, given: dict) -> None:
    labels = {int(key): value for key, value in (given.get("id2label") or {}).items()}
    if not labels:
        labels = {number: f"LABEL_{number}" for number in range(given.get("num_labels", 2))}
        config["label2id"] = {label: number for number, label in labels.items()}
    config["id2label"] = labels
    config.setdefault("label2id", {label: number for number, label in labels.items()})


def _attention(config: dict) -> None:
    heads = config["num_attention_heads"]
    if config["num_key_value_heads"] is None:
        config["num_key_value_heads"] = heads
    if config["model_type"] == "llama" and config["head_dim"] is None:
        config["head_dim"] = config["hidden_size"] // heads
    scaling = config["rope_scaling"]
    if scaling and "type" in scaling:
        config["rope_scaling"] = {**scaling, "rope_type": scaling["type"]}
    if "max_window_layers" in config and config["model_type"] != "llama":
        if not config["use_sliding_window"]:
            config["sliding_window"] = None
        window, first = config["sliding_window"], config["max_window_layers"]
        config["layer_types"] = [
            "sliding_attention" if window is not None and layer >= first else "full_attention"
            for layer in range(config["num_hidden_layers"])
        ]
