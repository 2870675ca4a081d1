"""Static EOS check: will a server of this model ever stop, told from the model's files alone.

The reference is what vLLM 0.13 stops on, see ``eos_sources``. Nothing is executed except the chat template, in a
process of its own (``render_child``). Whether the compiled model can *emit* the token is another question, which only
a running server answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aot.check import chat_template
from aot.check.chat_template import Rendering
from aot.check.eos_report import EosReport, Finding
from aot.check.eos_rules import judge_sources
from aot.check.eos_sources import TOKENIZER_CONFIG, gather
from aot.check.eos_turns import judge_turns, turn_end

if TYPE_CHECKING:
    from aot.request import ServeOptions

_ORDER = {"error": 0, "warning": 1, "info": 2}


def check(files: Mapping[str, bytes], options: ServeOptions | None = None) -> EosReport:
    """Check a model's files (name -> content, as ``ModelSnapshot.contents`` gives them).

    Pure but for the renderings; the same files give the same report. ``options`` are those the model is served with;
    without them nothing is said about sampling.
    """
    found = gather(files)
    special = {name: found.special(name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    named = chat_template.templates(files, found.document(TOKENIZER_CONFIG))
    renderings = chat_template.render_all(named, special)
    rendered = [(name, item) for name, item in renderings.items() if isinstance(item, Rendering)]
    ends = [end for name, rendering in rendered if (end := turn_end(name, rendering, found))]
    findings = [*found.findings, *judge_sources(found), *judge_turns(found, renderings, ends), *_sampling(options)]
    return EosReport(
        ok=not any(finding.severity == "error" for finding in findings),
        stop_ids=found.stop_ids(),
        sources=tuple(found.sources),
        turn_ends=tuple(ends),
        findings=tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity])),
    )


def _sampling(options: ServeOptions | None) -> list[Finding]:
    """With on-device sampling the Neuron plugin's runner runs none of vLLM's logits processors."""
    if options is None or not _samples_on_device(options):
        return []
    return [
        Finding(
            "min-tokens-ignored",
            "info",
            "sampling happens on the device, where min_tokens does not hold the end token back",
            "Do not rely on min_tokens, or sample on the CPU (override_neuron_config on_device_sampling_config null).",
        )
    ]


def _samples_on_device(options: ServeOptions) -> bool:
    override: Any = (options.additional_config or {}).get("override_neuron_config")
    if not isinstance(override, dict):
        return True
    return override.get("on_device_sampling_config", True) is not None
