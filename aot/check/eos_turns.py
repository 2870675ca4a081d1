"""Rules of the EOS check that rest on a rendered chat template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aot.check.chat_template import NotRendered, Rendering
from aot.check.eos_report import Finding, TurnEnd
from aot.check.eos_rules import listed, shown
from aot.check.eos_sources import GENERATION, TOKENIZER_CONFIG, Sources
from aot.check.vocabulary import first_token

# Text that is written like a special token: <|im_end|>, </s>, <end_of_turn>, [/INST], <｜end▁of▁sentence｜>
_MARKER = re.compile(r"<[|｜]?/?[\w▁]+[|｜]?>|\[/?[A-Z_]+\]")


def turn_end(name: str, rendering: Rendering, found: Sources) -> TurnEnd | None:
    """The token that closes an assistant's turn, None when the template writes none.

    The end of the whole conversation tells best what the model was trained to emit (gpt-oss ends the last turn with
    another token than earlier ones); a template that writes nothing there is judged by what stands between an answer
    and the next question (GLM-4 answers end where ``<|user|>`` begins).
    """
    known = found.vocabulary.added() | {text for text in (found.tokenizer_eos, *_special(found).values()) if text}
    stop_ids = found.stop_ids()
    for text in (rendering.final, rendering.within):
        marker = _MARKER.search(text)
        token = first_token(text, known | ({marker[0]} if marker else set()))
        if token is not None:
            token_id = found.vocabulary.id_of(token)
            return TurnEnd(name, token, token_id, token_id is not None and token_id in stop_ids)
    return None


def judge_turns(
    found: Sources, renderings: Mapping[str, Rendering | NotRendered], ends: list[TurnEnd]
) -> Iterator[Finding]:
    """Everything that rests on a rendered template."""
    if not renderings:
        yield Finding(
            "no-chat-template",
            "info",
            "the model has no chat template: only completions can be served, and they end where the stop ids say",
            "Nothing to do for a base model.",
        )
    for name, rendering in renderings.items():
        if isinstance(rendering, NotRendered):
            yield _not_rendered(name, rendering)
    for end in ends:
        rendering = renderings[end.template]
        if not end.stops:
            yield _turn_end_does_not_stop(found, end)
        elif isinstance(rendering, Rendering):
            yield from _turn_end_means_something_else(found, end, rendering)
    yield from _no_turn_end(renderings, ends)
    if len({end.token for end in ends}) > 1:
        involved = tuple(f"{end.template}: {end.token}" for end in ends)
        reason = "the named chat templates end a turn with different tokens"
        yield Finding("templates-differ", "warning", reason, "Make sure each of these tokens stops.", involved)


def _special(found: Sources) -> dict[str, str | None]:
    return {name: found.special(name) for name in ("eos_token", "bos_token", "pad_token", "unk_token")}


def _not_rendered(name: str, problem: NotRendered) -> Finding:
    return Finding(
        "template-not-rendered",
        "warning",
        f"the chat template {name!r} could not be rendered, so the token that ends a turn is not known: {problem.why}",
        "Check the template with a two-turn conversation; `aot eos check` offers it what transformers does.",
        (f"chat template {name}",),
        host_dependent=problem.host_dependent,
    )


def _turn_end_does_not_stop(found: Sources, end: TurnEnd) -> Finding:
    involved = (f"chat template {end.template}: turn ends with {end.token}", *(shown(item) for item in found.sources))
    if end.id is None:
        return Finding(
            "turn-end-not-a-token",
            "error",
            f"the chat template ends an assistant's turn with {end.token!r}, which is no token of the vocabulary: the "
            "server cannot recognise it",
            "Use the chat template that belongs to this tokenizer, or add the token to the tokenizer.",
            involved,
        )
    missing = "" if GENERATION in found.documents else f" ({GENERATION} is missing)"
    return Finding(
        "turn-end-not-in-stop-ids",
        "error",
        f"the chat template ends an assistant's turn with {end.token} ({end.id}), but generation stops only on "
        f"{listed(found.stop_ids()) or 'nothing'}{missing}: answers run to the length limit",
        f"Add {end.id} to eos_token_id in {GENERATION}.",
        involved,
    )


def _turn_end_means_something_else(found: Sources, end: TurnEnd, rendering: Rendering) -> Iterator[Finding]:
    involved = (f"chat template {end.template}: turn ends with {end.token}",)
    pad, bos = found.special("pad_token"), found.special("bos_token")
    if pad == end.token:
        yield Finding(
            "eos-is-pad",
            "warning",
            f"{end.token} both ends a turn and pads: fine-tuning that masks padding unlearns to emit it",
            "Nothing to do if the model is known to stop; otherwise give it a pad token of its own.",
            (*involved, f"{TOKENIZER_CONFIG}: pad_token = {pad}"),
        )
    if bos == end.token:
        yield Finding(
            "eos-is-bos",
            "warning",
            f"{end.token} both begins and ends a text",
            "Nothing to do if the model is known to stop.",
            (*involved, f"{TOKENIZER_CONFIG}: bos_token = {bos}"),
        )
    if end.token in rendering.prompt:
        yield Finding(
            "eos-is-start-of-turn",
            "warning",
            f"{end.token} ends a turn and also opens the assistant's next one",
            "Check the chat template: an answer may end before it begins.",
            involved,
        )


def _no_turn_end(renderings: Mapping[str, Rendering | NotRendered], ends: list[TurnEnd]) -> Iterator[Finding]:
    with_end = {end.template for end in ends}
    for name, rendering in renderings.items():
        if isinstance(rendering, Rendering) and name not in with_end:
            yield Finding(
                "turn-without-end",
                "warning",
                f"the chat template {name!r} writes no token at the end of an assistant's turn",
                "Make sure that the model emits its end token after an answer, or give clients a stop string.",
                (f"chat template {name}: after an answer comes {rendering.within[:40]!r}",),
            )
