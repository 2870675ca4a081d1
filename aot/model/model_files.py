"""Which files of a model repository a build reads, and why each of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["config", "tokenizer", "template", "code", "weights"]


class Pattern(NamedTuple):
    """A file name pattern (``fnmatch``, whole path inside the repository) with the reason it is fetched."""

    glob: str
    kind: Kind
    reason: str


PATTERNS: tuple[Pattern, ...] = (
    Pattern("config.json", "config", "the model's shape; every key of it enters the serve-time hash"),
    Pattern("generation_config.json", "config", "its eos_token_id is what vLLM stops on besides the tokenizer's"),
    Pattern("tokenizer.json", "tokenizer", "vocabulary and added tokens of a fast tokenizer"),
    Pattern("tokenizer_config.json", "tokenizer", "eos_token, added_tokens_decoder, usually the chat template"),
    Pattern("tokenizer.model", "tokenizer", "vocabulary of a sentencepiece tokenizer"),
    Pattern("tokenizer.model.v*", "tokenizer", "the same, in Mistral's versioned spelling"),
    Pattern("tekken.json", "tokenizer", "vocabulary of Mistral's own tokenizer"),
    Pattern("*.tiktoken", "tokenizer", "vocabulary of tokenizers that come as remote code"),
    Pattern("special_tokens_map.json", "tokenizer", "eos_token of repositories without added_tokens_decoder"),
    Pattern("added_tokens.json", "tokenizer", "ids of added tokens in older repositories"),
    Pattern("vocab.json", "tokenizer", "vocabulary of a slow BPE tokenizer"),
    Pattern("vocab.txt", "tokenizer", "vocabulary of a slow WordPiece tokenizer"),
    Pattern("merges.txt", "tokenizer", "merges of a slow BPE tokenizer"),
    Pattern("chat_template.jinja", "template", "wins over the template in tokenizer_config.json"),
    Pattern("chat_template.json", "template", "template of a processor, which vLLM tries for multimodal models"),
    Pattern("additional_chat_templates/*.jinja", "template", "named templates, such as tool_use"),
    Pattern("*.py", "code", "configuration and tokenizer classes; only with --trust-remote-code"),
    Pattern("*.safetensors", "weights", "only with --with-weights: compiling needs none"),
    Pattern("*.safetensors.index.json", "weights", "which shard holds which tensor"),
)

# Mistral repositories hold every weight twice; vLLM's Hugging Face loader reads model-*.safetensors.
_DUPLICATES = ("consolidated*",)


def kind_of(name: str) -> Kind | None:
    """The kind of a file, or None for one that no build reads. A pattern without ``/`` matches the top level only."""
    if any(fnmatch.fnmatchcase(name, glob) for glob in _DUPLICATES):
        return None
    for pattern in PATTERNS:
        if name.count("/") == pattern.glob.count("/") and fnmatch.fnmatchcase(name, pattern.glob):
            return pattern.kind
    return None


def select(names: Iterable[str], *, trust_remote_code: bool, with_weights: bool) -> list[str]:
    """The names to read, sorted."""
    wanted: set[Kind | None] = {"config", "tokenizer", "template"}
    if trust_remote_code:
        wanted.add("code")
    if with_weights:
        wanted.add("weights")
    return sorted(name for name in names if kind_of(name) in wanted)


# What a repository without config.json is instead, told by a file that it does hold.
_INSTEAD = (
    ("*.gguf", "it holds GGUF files, which Neuron does not serve", "the original repository they were made from"),
    ("adapter_config.json", "it is a LoRA adapter, not a model", "its base model (LoRA is not covered yet)"),
    ("model_index.json", "it is a diffusers pipeline, not a language model", "a language model"),
    ("params.json", "it holds Mistral's own format only", "the repository with the '-hf' or Hugging Face format files"),
)


def without_config(names: Iterable[str]) -> tuple[str, str]:
    """Why a repository has no ``config.json`` and what to give instead: (reason, remedy) clauses."""
    listed = list(names)
    for glob, reason, instead in _INSTEAD:
        if any(fnmatch.fnmatchcase(name.lower(), glob) for name in listed):
            return f": {reason}", f"Give {instead}."
    return "", "Give a repository or directory in Hugging Face format, with config.json at its top level."
