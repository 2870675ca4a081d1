"""Gather every place that names an end-of-sequence token, and mark what vLLM 0.13 takes from each.

What stops a request, by function of vLLM 0.13.0:

- ``v1/core/sched/utils.check_stop``: the tokenizer's ``eos_token_id`` and the request's ``stop_token_ids``.
- ``sampling_params.SamplingParams.update_from_generation_config``, called by
  ``v1/engine/input_processor.InputProcessor.process_inputs``: the generation config's ids join ``stop_token_ids``.
- ``transformers_utils/config.try_get_generation_config``: ``generation_config.json``; only when that file is missing or
  is no JSON, ``config.json`` (with the class default of the model type, and ``text_config`` where the top level names
  none: ``GenerationConfig.from_model_config``).
- ``entrypoints/openai/serving_chat.OpenAIServingChat``: harmony's stop tokens for ``gpt_oss``.

Both ids and id lists are taken as they stand; a generation config without ``eos_token_id`` adds none and does *not*
fall back to ``config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from aot.check.eos_report import Finding, Source
from aot.check.vocabulary import DECODER, Vocabulary, decoder_tokens, plain_tokens

CONFIG = "config.json"
GENERATION = "generation_config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS = "special_tokens_map.json"

# transformers 4.57.6: eos_token_id in the signature of each configuration class, where it is not None.
_CONFIG_DEFAULT: dict[str, tuple[int, ...]] = {
    "llama": (2,),
    "mistral": (2,),
    "mixtral": (2,),
    "gemma": (1,),
    "gemma2": (1,),
    "gemma3_text": (1,),
    "phi": (2,),
    "phi3": (32000,),
    "glm": (151329, 151336, 151338),
    "glm4": (151329, 151336, 151338),
    "deepseek_v3": (1,),
    "gpt2": (50256,),
    "cohere": (255001,),
    "olmo": (50279,),
    "stablelm": (0,),
}
# transformers 4.57.6: eos_token in the signature of each tokenizer class.
_TOKENIZER_DEFAULT = {
    "Qwen2Tokenizer": "<|endoftext|>",
    "LlamaTokenizer": "</s>",
    "CodeLlamaTokenizer": "</s>",
    "GPT2Tokenizer": "<|endoftext|>",
    "GPTNeoXTokenizer": "<|endoftext|>",
    "CodeGenTokenizer": "<|endoftext|>",
    "BloomTokenizer": "</s>",
    "T5Tokenizer": "</s>",
    "GemmaTokenizer": "<eos>",
    "CohereTokenizer": "<|END_OF_TURN_TOKEN|>",
}
# openai_harmony, HarmonyEncoding.stop_tokens_for_assistant_actions(): <|return|> and <|call|>
_HARMONY = (200002, 200012)


@dataclass
class Sources:
    """Everything read from the files; ``findings`` are the ones noticed while reading."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    sources: list[Source] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    tokenizer_eos: str | None = None
    tokenizer_eos_id: int | None = None
    has_tokenizer: bool = False

    def document(self, name: str) -> dict[str, Any]:
        """A JSON file as an object; empty when it is absent or malformed."""
        return self.documents.get(name, {})

    def stop_ids(self) -> tuple[int, ...]:
        """What vLLM stops on, in the order tokenizer, generation config."""
        used = [source.ids for source in self.sources if source.used]
        return tuple(dict.fromkeys(token_id for ids in used for token_id in ids))

    def special(self, name: str) -> str | None:
        """A special token as transformers would have it: ``eos_token``, ``bos_token``, ``pad_token``."""
        return token_text(self.document(TOKENIZER_CONFIG).get(name)) or (
            None if self._decoder_given() else token_text(self.document(SPECIAL_TOKENS).get(name))
        )

    def _decoder_given(self) -> bool:
        return "added_tokens_decoder" in self.document(TOKENIZER_CONFIG)

    def vocab_size(self) -> int | None:
        """Rows of the embedding, which is what bounds an id; None when config.json does not say."""
        config = self.document(CONFIG)
        text = config.get("text_config")
        for holder in (config, text if isinstance(text, dict) else {}):
            if type(holder.get("vocab_size")) is int:
                return int(holder["vocab_size"])
        return None


def gather(files: Mapping[str, bytes]) -> Sources:
    """Read all files once."""
    found = Sources()
    for name in (CONFIG, GENERATION, TOKENIZER_CONFIG, SPECIAL_TOKENS, "added_tokens.json", "vocab.json"):
        if name in files:
            _read_object(found, name, files[name])
    found.has_tokenizer = any(name.startswith(("tokenizer", "vocab", "tekken")) for name in files)
    _read_vocabulary(found, files)
    _tokenizer_source(found)
    _generation_sources(found, files)
    return found


def _read_object(found: Sources, name: str, content: bytes) -> None:
    problem = "holds no JSON object"
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        problem, document = f"is not valid JSON ({error})", None
    if isinstance(document, dict):
        found.documents[name] = document
        return
    found.findings.append(
        Finding("malformed-file", "error", f"{name} {problem}", "Repair the file or fetch it again.", (name,))
    )


def _read_vocabulary(found: Sources, files: Mapping[str, bytes]) -> None:
    decoder = decoder_tokens(found.document(TOKENIZER_CONFIG).get("added_tokens_decoder"))
    found.vocabulary.add(DECODER, decoder)
    found.vocabulary.add("added_tokens.json", plain_tokens(found.document("added_tokens.json")))
    if "vocab.json" in found.documents:
        found.vocabulary.add("vocab.json", plain_tokens(found.document("vocab.json")), complete=True)
    if "tokenizer.json" not in files:
        return
    try:
        found.vocabulary.read_fast(files["tokenizer.json"])
    except (msgspec.MsgspecError, RecursionError) as error:
        reason = f"tokenizer.json cannot be read: {error}"
        found.findings.append(
            Finding("malformed-file", "error", reason, "Repair the file or fetch it again.", ("tokenizer.json",))
        )


def token_text(value: Any) -> str | None:
    """A token given as a string or as ``{"content": ...}``."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) and value else None


def _tokenizer_source(found: Sources) -> None:
    """``tokenizer.eos_token_id``, by ``_from_pretrained``: special_tokens_map.json counts only without a decoder."""
    config = found.document(TOKENIZER_CONFIG)
    text, file = token_text(config.get("eos_token")), TOKENIZER_CONFIG
    mapped = token_text(found.document(SPECIAL_TOKENS).get("eos_token"))
    map_counts = mapped is not None and "added_tokens_decoder" not in config
    if map_counts:
        text, file = mapped, SPECIAL_TOKENS
    key = "eos_token"
    if text is None and found.has_tokenizer and "eos_token" not in config:
        name = str(config.get("tokenizer_class", "")).removesuffix("Fast")
        text, key = _TOKENIZER_DEFAULT.get(name), f"tokenizer_class {name}"
    if text is not None:
        found.tokenizer_eos, found.tokenizer_eos_id = text, found.vocabulary.id_of(text)
        ids = () if found.tokenizer_eos_id is None else (found.tokenizer_eos_id,)
        found.sources.append(Source(file, key, ids, used=True, text=text))
    if mapped is not None and not map_counts:
        mapped_id = found.vocabulary.id_of(mapped)
        ids = () if mapped_id is None else (mapped_id,)
        found.sources.append(Source(SPECIAL_TOKENS, "eos_token", ids, used=False, text=mapped))


def _generation_sources(found: Sources, files: Mapping[str, bytes]) -> None:
    """The ids of ``try_get_generation_config``; a file that is no JSON counts as missing there, and so it does here."""
    config = found.document(CONFIG)
    from_config = GENERATION not in found.documents
    if GENERATION in found.documents:
        ids = _ids(found, GENERATION, "eos_token_id", found.document(GENERATION).get("eos_token_id"))
        found.sources.append(Source(GENERATION, "eos_token_id", ids, used=True))
    if CONFIG not in files:
        return
    key, ids = _config_ids(found, config)
    if ids:
        found.sources.append(Source(CONFIG, key, ids, used=from_config))
    if config.get("model_type") == "gpt_oss":
        found.sources.append(Source("vLLM", "harmony stop tokens (chat only)", _HARMONY, used=True))


def _config_ids(found: Sources, config: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    text = config.get("text_config")
    nested = text if isinstance(text, dict) else {}
    for key, holder in (("eos_token_id", config), ("text_config.eos_token_id", nested)):
        ids = _ids(found, CONFIG, key, holder.get("eos_token_id"))
        if ids:
            return key, ids
        default = _CONFIG_DEFAULT.get(str(holder.get("model_type")), ())
        if default and "eos_token_id" not in holder:
            return f"model_type {holder['model_type']} (default)", default
    return "eos_token_id", ()


def _ids(found: Sources, file: str, key: str, value: Any) -> tuple[int, ...]:
    """An ``eos_token_id``: an integer or a list of integers. Anything else is reported and read as none."""
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    if all(type(item) is int and item >= 0 for item in listed):  # type(): JSON's true is no token id
        return tuple(dict.fromkeys(listed))
    reason = f"{key} in {file} is {json.dumps(value)}, which is neither a token id nor a list of them"
    remedy = "Write the id as a number, or the ids as a list of numbers."
    found.findings.append(Finding("malformed-eos", "error", reason, remedy, (f"{file}: {key} = {json.dumps(value)}",)))
    return ()
