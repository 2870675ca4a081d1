"""Token <-> id, from the files a tokenizer is made of, without building the tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

ADDED = "tokenizer.json: added_tokens"
DECODER = "tokenizer_config.json: added_tokens_decoder"


class _AddedToken(msgspec.Struct):
    id: int
    content: str


class _FastTokenizer(msgspec.Struct):
    """The parts of tokenizer.json needed here. The model stays undecoded: its vocabulary is tens of megabytes."""

    added_tokens: list[_AddedToken] = []
    model: msgspec.Raw = msgspec.Raw(b"{}")


class _BpeModel(msgspec.Struct):
    vocab: dict[str, int] = {}


class _UnigramModel(msgspec.Struct):
    vocab: list[tuple[str, float]] = []


class Vocabulary:
    """Where each token's id comes from, in the order in which transformers looks.

    A fast tokenizer takes ids from ``tokenizer.json`` and adds what only ``tokenizer_config.json`` declares; a slow
    one knows ``added_tokens_decoder``, ``added_tokens.json`` and its vocabulary file
    (``tokenization_utils_base.PreTrainedTokenizerBase._from_pretrained``).
    """

    def __init__(self) -> None:
        self._sources: list[tuple[str, Mapping[str, int]]] = []
        self._model: msgspec.Raw | None = None
        self._base: Mapping[str, int] | None = None
        self.complete = False  # whether an absent token is known to be absent

    def read_fast(self, content: bytes) -> None:
        """Take ``tokenizer.json``; raises ``msgspec.MsgspecError`` when it is not one."""
        fast = msgspec.json.decode(content, type=_FastTokenizer)
        self._sources.insert(0, (ADDED, {token.content: token.id for token in fast.added_tokens}))
        self._model = fast.model
        self.complete = True

    def add(self, name: str, tokens: Mapping[str, int], *, complete: bool = False) -> None:
        """Take a further source of tokens, looked at after the ones before it."""
        self._sources.append((name, tokens))
        self.complete = self.complete or complete

    def id_of(self, token: str) -> int | None:
        """The id of a token, or None when no file has it."""
        for _, tokens in self._sources:
            if token in tokens:
                return tokens[token]
        return self._base_vocabulary().get(token)

    def disagreements(self, token: str) -> dict[str, int]:
        """The ids that different files give to one token, when they differ."""
        found = {name: tokens[token] for name, tokens in self._sources if token in tokens}
        return found if len(set(found.values())) > 1 else {}

    def token_of(self, token_id: int) -> str | None:
        """The token of an id; None when no file has one."""
        for _, tokens in self._sources:
            for token, known in tokens.items():
                if known == token_id:
                    return token
        return next((token for token, known in self._base_vocabulary().items() if known == token_id), None)

    def added(self) -> set[str]:
        """Tokens that are matched as a whole in text: the added ones."""
        return {token for _, tokens in self._sources for token in tokens if token}

    def _base_vocabulary(self) -> Mapping[str, int]:
        if self._base is None:
            self._base = _decode_model(self._model) if self._model is not None else {}
        return self._base


def _decode_model(raw: msgspec.Raw) -> Mapping[str, int]:
    try:
        return msgspec.json.decode(raw, type=_BpeModel).vocab
    except msgspec.MsgspecError:
        pass  # Unigram models (sentencepiece) hold a list of [token, score]
    try:
        pieces = msgspec.json.decode(raw, type=_UnigramModel).vocab
    except msgspec.MsgspecError:
        return {}
    return {token: index for index, (token, _) in enumerate(pieces)}


def decoder_tokens(decoder: Any) -> dict[str, int]:
    """``added_tokens_decoder`` turned round: content -> id; entries of another shape are left out."""
    if not isinstance(decoder, dict):
        return {}
    return {
        token["content"]: int(key)
        for key, token in decoder.items()
        if isinstance(token, dict) and isinstance(token.get("content"), str) and str(key).isdecimal()
    }


def plain_tokens(document: Any) -> dict[str, int]:
    """``vocab.json`` or ``added_tokens.json``: the pairs of string and integer."""
    if not isinstance(document, dict):
        return {}
    return {token: index for token, index in document.items() if type(index) is int}


def first_token(text: str, tokens: Iterable[str]) -> str | None:
    """The token that begins earliest in a text, the longest of them where several begin."""
    found = [(text.find(token), -len(token), token) for token in tokens if token in text]
    return min(found)[2] if found else None
