"""Inputs -> BuildPlan: pure. A plan prints as JSON and is all that a build needs."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from aot import explicit, hash_warnings, sizing
from aot.compile import prediction
from aot.errors import AotError, ErrorId
from aot.fingerprint import Fingerprint, FingerprintRequest, InvalidRequest, NotCovered, Refused, compute
from aot.model import ModelFile
from aot.request import BuildRequest, ServeOptions, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aot.resolve import Inputs

KEY_SCHEMA = 1


class PlannedToolchain(msgspec.Struct, frozen=True):
    """The image a build runs in; ``digest`` is None until the lock has one, and in a simulation."""

    name: str
    sdk: str
    image: str
    digest: str | None
    python: str
    components: dict[str, str]


class PlannedModel(msgspec.Struct, frozen=True):
    """The snapshot: ``path`` is the string the server is given, which is hashed verbatim."""

    id: str
    commit: str | None
    path: str
    architecture: str
    files: dict[str, ModelFile]


class PredictedFingerprint(msgspec.Struct, frozen=True):
    """The serve-time hash as the pod will compute it, or why it cannot be predicted outside the image."""

    predicted: str | None
    reason: str | None
    canonical_json: str | None


class Serving(msgspec.Struct, frozen=True):
    """What the server must be started with: the flags after ``vllm serve PATH``, and variables."""

    flags: list[str]
    environment: dict[str, str]


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be built. ``key`` names what is asked for; the artifact's digest names what was built."""

    key: str | None
    key_reason: str | None
    simulated: bool
    target: Target
    options: ServeOptions
    chosen: list[str]
    toolchain: PlannedToolchain
    model: PlannedModel
    fingerprint: PredictedFingerprint
    serving: Serving
    remedies: Literal["auto", "off"]
    risks: list[prediction.Risk]
    estimate: sizing.Sizing | None
    warnings: list[str]
    request: BuildRequest


def make(inputs: Inputs) -> BuildPlan:
    """Plan one build.

    Raises ``REFUSED_BY_SERVER`` where vLLM, the plugin or NxDI would refuse the request, ``NOT_COVERED`` for model
    families aot does not build yet, ``DOES_NOT_FIT`` when no instance of the target can hold the model.
    """
    request, config = inputs.request, inputs.snapshot.config
    _refuse_uncovered(config, request.options)
    _refuse_unsupported(inputs)
    lnc = sizing.logical_nc(request, inputs.toolchain)
    options, chosen = explicit.spell_out(request.options, config, request.target, lnc)
    sizing.check_cores(options, request.target, lnc)
    question = _question(inputs, options)
    fingerprint = _predict(inputs, question)
    key, key_reason = _key(inputs, options)
    return BuildPlan(
        key=key,
        key_reason=key_reason,
        simulated=request.simulate,
        target=request.target,
        options=options,
        chosen=chosen,
        toolchain=_toolchain(inputs),
        model=PlannedModel(
            id=inputs.snapshot.id,
            commit=inputs.snapshot.commit,
            path=inputs.snapshot.path,
            architecture=_architecture(config),
            files=dict(inputs.snapshot.files),
        ),
        fingerprint=fingerprint,
        serving=_serving(inputs, options),
        remedies="auto" if request.remedies else "off",
        risks=prediction.risks(config, options, request.target, inputs.toolchain, lnc, inputs.snapshot.id),
        estimate=sizing.estimate(config, options, request.target, lnc),
        warnings=list(
            dict.fromkeys(
                [
                    *inputs.snapshot.warnings,
                    *hash_warnings.of(question, inputs.profile),
                    *prediction.warnings(config, options, request.target, lnc),
                ]
            )
        ),
        request=request,
    )


_UNCOVERED_OVERRIDES = (
    "enable_fused_speculation",
    "enable_eagle_speculation",
    "enable_eagle_draft_input_norm",
    "is_eagle_draft",
    "is_eagle3",
    "is_medusa",
    "medusa_speculation_length",
    "medusa_tree",
    "num_medusa_heads",
    "speculation_length",
    "enable_token_tree",
    "token_tree_config",
    "draft_overrides",
    "draft_model_modules_to_not_convert",
    "lora_config",
)
"""Override keys of NxDI's NeuronConfig that belong to speculative decoding or LoRA."""


_SANE = {"num_hidden_layers": 10_000, "num_labels": 100_000}
"""What no model has: upstream would write a list entry for each before anything else happens."""


def _exceeds(value: object, most: int) -> bool:
    return isinstance(value, int | float) and value > most


def _refuse_uncovered(config: Mapping[str, Any], options: ServeOptions) -> None:
    """Multimodal models, speculation and LoRA: other graphs and other config classes, not measured yet."""
    override = (options.additional_config or {}).get("override_neuron_config") or {}
    # A value that switches nothing on is harmless; an empty dict switches lora_config on.
    given = [name for name in _UNCOVERED_OVERRIDES if override.get(name) not in (None, False, 0)]
    found = [f"override_neuron_config.{name}" for name in given]
    found += [
        f"a config.json with {name} over {most}" for name, most in _SANE.items() if _exceeds(config.get(name), most)
    ]
    if "vision_config" in config or "audio_config" in config:
        found.append("a multimodal model (config.json has a vision or audio configuration)")
    if found:
        raise AotError(
            ErrorId.NOT_COVERED,
            reason=f"not covered yet: {'; '.join(found)}",
            remedy="build a text-only model of usual size, without speculation and LoRA, or compile it by hand",
        )


def _question(inputs: Inputs, options: ServeOptions) -> FingerprintRequest:
    """The pod's view: the platform is detected there, no override is set (see domain rules on the hardware enum)."""
    return FingerprintRequest(
        model_dir=inputs.snapshot.path,
        hf_config=inputs.snapshot.config,
        engine_args=options.engine_args(),
        env=inputs.request.environment(),
        detected_platform=inputs.request.target,
    )


def _refuse_unsupported(inputs: Inputs) -> None:
    """What can be told without rules: architectures the plugin does not map, releases the simulator does not play."""
    profile = inputs.profile
    if profile is None:
        if inputs.request.simulate:
            raise AotError(
                ErrorId.NOT_COVERED,
                reason=f"the simulator does not play toolchain {inputs.toolchain.name}: that release was not measured",
                remedy="simulate a toolchain whose fingerprint is covered, see `aot toolchain list`",
            )
        return
    named = inputs.snapshot.config.get("architectures")
    supported = profile["plugin"]["architectures"]
    if isinstance(named, list) and named and not (isinstance(named[0], str) and named[0] in supported):
        raise AotError(
            ErrorId.ARCHITECTURE_UNSUPPORTED,
            reason=f"vLLM's Neuron plugin in {inputs.toolchain.name} does not support {named[0]}",
            remedy=f"choose a model of one of {', '.join(sorted(supported))}",
        )


def _architecture(config: Mapping[str, Any]) -> str:
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else "unknown"


def _predict(inputs: Inputs, question: FingerprintRequest) -> PredictedFingerprint:
    """What ``_question`` gives, or why that is not known."""
    if inputs.profile is None:
        reason = f"toolchain {inputs.toolchain.name} has no fingerprint profile; the runner's value will be recorded"
        return PredictedFingerprint(None, reason, None)
    try:
        answer: Fingerprint = compute(question, inputs.profile)
    except NotCovered as limit:
        return PredictedFingerprint(None, f"{limit.message}; the runner's value will be recorded", None)
    except (Refused, InvalidRequest) as refusal:
        raise AotError(ErrorId.REFUSED_BY_SERVER, reason=refusal.message, remedy=refusal.remedy) from refusal
    return PredictedFingerprint(answer.md5, None, answer.canonical_json)


def _key(inputs: Inputs, options: ServeOptions) -> tuple[str | None, str | None]:
    """sha256 over everything that was asked for, or why there is none yet.

    The fingerprint is no identity: the target, the compiler and its flags, our patches and the model's commit are not
    in it, so all of them are here. For a model directory a digest of its files stands for the commit.
    """
    if inputs.image_identity is None:
        return None, (
            f"the digest of {inputs.toolchain.image} is not in the lock yet: run `aot toolchain lock "
            f"{inputs.toolchain.name}`, or let `aot build` do it"
        )
    request, snapshot = inputs.request, inputs.snapshot
    asked = {
        "schema": KEY_SCHEMA,
        "image": inputs.image_identity,
        "toolchain": inputs.toolchain.name,
        "runner": inputs.code_hash,
        "target": request.target,
        "options": msgspec.to_builtins(options),
        "environment": request.environment(),
        "compiler_flags": request.compiler_flags,
        "model": {
            "path": snapshot.path,
            "identity": snapshot.identity,
            "trust_remote_code": request.trust_remote_code,
            "with_weights": request.with_weights,
        },
        "remedies": request.remedies,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest(), None


def _toolchain(inputs: Inputs) -> PlannedToolchain:
    chain, pin = inputs.toolchain, inputs.pin
    return PlannedToolchain(
        name=chain.name,
        sdk=chain.sdk,
        image=pin.image if pin else chain.image,
        digest=pin.digest if pin and not inputs.request.simulate else None,
        python=chain.python,
        components=chain.components,
    )


def _serving(inputs: Inputs, options: ServeOptions) -> Serving:
    flags = options.serve_flags()
    if inputs.request.trust_remote_code:
        flags.append("--trust-remote-code")
    return Serving(flags, inputs.request.environment())
