"""Rules of the EOS check that need no template: each looks at the gathered sources and yields findings."""

from __future__ import annotations

from collections.abc import Iterator

from aot.check.eos_report import Finding, Source
from aot.check.eos_sources import CONFIG, GENERATION, Sources


def judge_sources(found: Sources) -> Iterator[Finding]:
    """Everything that needs no template."""
    yield from _nothing_to_stop_on(found)
    yield from _unknown_string(found)
    yield from _outside_vocabulary(found)
    yield from _disagreements(found)
    yield from _generation_config(found)


def _nothing_to_stop_on(found: Sources) -> Iterator[Finding]:
    if found.stop_ids():
        return
    unused = tuple(shown(source) for source in found.sources)
    yield Finding(
        "no-eos",
        "error",
        "neither the tokenizer nor the generation config names an end token: every request runs to its length limit",
        "Write generation_config.json with the model's eos_token_id, or set eos_token in tokenizer_config.json.",
        unused,
    )


def _unknown_string(found: Sources) -> Iterator[Finding]:
    token = found.tokenizer_eos
    if token is None or found.tokenizer_eos_id is not None:
        return
    source = next(source for source in found.sources if source.text == token)
    if found.vocabulary.complete or not found.has_tokenizer:
        reason = f"the tokenizer's end token {token!r} is in no vocabulary: it gets a new id that the model cannot emit"
        remedy = "Set eos_token to a token of the vocabulary, or add the missing token with its id."
        yield Finding("eos-not-in-vocabulary", "error", reason, remedy, (shown(source),))
    else:
        yield Finding(
            "eos-not-resolved",
            "warning",
            f"the id of the tokenizer's end token {token!r} is in none of the files that could be read here",
            "Add tokenizer.json or an added_tokens_decoder with this token to the model's files.",
            (shown(source),),
        )


def _outside_vocabulary(found: Sources) -> Iterator[Finding]:
    size = found.vocab_size()
    if size is None:
        return
    for source in found.sources:
        outside = [token_id for token_id in source.ids if token_id >= size]
        if outside and source.used:
            yield Finding(
                "eos-outside-vocabulary",
                "error",
                f"{source.file} ends generation on {listed(outside)}, but the ids go from 0 to {size - 1}",
                "Correct the id: the model cannot emit it.",
                (shown(source), f"{CONFIG}: vocab_size = {size}"),
            )


def _disagreements(found: Sources) -> Iterator[Finding]:
    stop_ids = set(found.stop_ids())
    for source in found.sources:
        lost = [token_id for token_id in source.ids if token_id not in stop_ids]
        if lost and not source.used:
            used = "; ".join(shown(other) for other in found.sources if other.used)
            yield Finding(
                "files-disagree",
                "warning",
                f"{source.file} names {listed(lost)} as an end token, but vLLM does not read it there and will not "
                "stop on it",
                f"Add the id to {GENERATION} if the model ends with it, or correct {source.file}.",
                (shown(source), f"read by vLLM: {used}"),
            )
    yield from _tokenizer_and_generation_differ(found)
    token = found.tokenizer_eos
    apart = found.vocabulary.disagreements(token) if token else {}
    if apart:
        yield Finding(
            "token-id-differs",
            "warning",
            f"files give different ids to the end token {token!r}",
            "Make them agree: which id is used depends on the tokenizer class.",
            tuple(f"{file} = {token_id}" for file, token_id in apart.items()),
        )


def _tokenizer_and_generation_differ(found: Sources) -> Iterator[Finding]:
    generation = next((source for source in found.sources if source.file == GENERATION), None)
    own = found.tokenizer_eos_id
    if generation is None or own is None or not generation.ids or own in generation.ids:
        return
    yield Finding(
        "files-disagree",
        "warning",
        f"the tokenizer ends with {own} ({found.tokenizer_eos}), {GENERATION} with {listed(generation.ids)}: vLLM "
        "stops on all of them, other servers may not",
        f"List all ids in {GENERATION}.",
        tuple(shown(source) for source in found.sources if source.used),
    )


def _generation_config(found: Sources) -> Iterator[Finding]:
    document = found.documents.get(GENERATION)
    config_ids = next((source.ids for source in found.sources if source.file == CONFIG), ())
    if document is None:
        if len(found.stop_ids()) < 2:
            yield Finding(
                "generation-config-missing",
                "info",
                f"there is no {GENERATION}: only {listed(found.stop_ids()) or 'no id'} stops a request",
                f"Write {GENERATION} if the model has further end tokens.",
            )
    elif document.get("eos_token_id") is None and config_ids:
        yield Finding(
            "generation-config-without-eos",
            "warning",
            f"{GENERATION} has no eos_token_id, and because it exists vLLM does not look at the one in {CONFIG}",
            f"Copy eos_token_id {listed(config_ids)} from {CONFIG} into {GENERATION}.",
            (f"{CONFIG}: eos_token_id = {listed(config_ids)}",),
        )


def shown(source: Source) -> str:
    """A source for a finding's ``involved``."""
    value = listed(source.ids)
    if source.text is not None:
        value = f"{source.text} ({value or 'no id'})"
    return f"{source.file}: {source.key} = {value}"


def listed(ids: tuple[int, ...] | list[int]) -> str:
    """Ids for a sentence."""
    return ", ".join(str(token_id) for token_id in ids)
