"""The serve-time compile hash, computed without the image: plain data in, canonical JSON text and md5 out.

Three stages, each beside the upstream function it mirrors: ``engine_settings`` (vLLM and the Neuron platform class),
``loader_arguments`` with ``neuron_config`` (the plugin's loader, NxDI's NeuronConfig), ``hf_config`` with
``inference_config`` (transformers, NxDI's InferenceConfig), then ``canonical`` (the text). What differs between
releases is data: the ``profile`` of a toolchain. Nothing here opens a file or a socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aot.fingerprint import canonical, engine_settings, hf_config, inference_config, loader_arguments, platform, reach
from aot.fingerprint.errors import FingerprintError, InvalidRequest, NotCovered, Refused
from aot.fingerprint.request import Fingerprint, FingerprintRequest, parse_request

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Fingerprint",
    "FingerprintError",
    "FingerprintRequest",
    "InvalidRequest",
    "NotCovered",
    "Refused",
    "compute",
    "parse_request",
]

_TRUE = ("1", "ON", "YES", "TRUE")  # huggingface_hub.constants.ENV_VARS_TRUE_VALUES
_UPSTREAM_RAISES = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


def compute(request: FingerprintRequest, profile: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint of one serving process under one toolchain.

    Raises Refused, InvalidRequest or NotCovered. Most values reach Python operators unchecked upstream; the rules use
    the same operators on the same values, so an exception of Python's own means that upstream raises it too.
    """
    try:
        return _compute(request, profile)
    except _UPSTREAM_RAISES as problem:
        raise Refused(
            f"a value has a type or size that upstream cannot work with ({type(problem).__name__}: {problem})",
            "check the types of the flags, of override_neuron_config and of config.json",
        ) from problem
    except RecursionError as problem:
        raise InvalidRequest("the request is nested too deeply", "flatten config.json") from problem


def _compute(request: FingerprintRequest, profile: Mapping[str, Any]) -> Fingerprint:
    _refuse_unsupported(request, profile)
    _refuse_replaced_model(request)
    hf = hf_config.load(request.hf_config, request.model_dir, profile["transformers"])
    settings = engine_settings.resolve(request, hf, profile["engine"])
    model_class = _model_class(settings.architecture, profile)
    arguments = loader_arguments.collect(settings, profile)
    model = profile["model_classes"].get(model_class)
    if model is None:
        raise NotCovered(f"the model class {model_class} is not covered by aot's rules")
    neuron = inference_config.neuron(model, arguments, platform.detect(request, profile), profile)
    document = inference_config.build(model, neuron, hf, profile)
    loader_arguments.check_speculation(neuron, settings)
    if settings.uncovered:
        raise NotCovered(f"the effect of {', '.join(settings.uncovered)} is not modelled")
    return Fingerprint(
        canonical_json=canonical.to_text(document),
        architecture=settings.architecture,
        model_class=model_class,
        config_class=model["config_class"],
        neuron_config_class=model["neuron_config_class"],
    )


def _refuse_replaced_model(request: FingerprintRequest) -> None:
    """Say no where vLLM puts another string in place of the model's: that one is hashed, and not known here.

    vLLM 0.13 / 0.16 ``EngineArgs.__post_init__`` (hub ids offline), ``maybe_model_redirect``, ``is_runai_obj_uri``.
    """
    remedy = "give the path of the model's directory as the model"
    offline = next((request.env[name] for name in reach.OFFLINE if request.env.get(name)), "")
    if offline.upper() in _TRUE and not request.model_dir.startswith((".", "/")):
        raise NotCovered(
            f"with {reach.OFFLINE[0]} vLLM puts the path of the cached snapshot in place of a hub id, and that path is "
            "hashed",
            remedy,
        )
    if request.env.get(reach.REDIRECT):
        raise NotCovered(f"with {reach.REDIRECT} vLLM may put another model in place of the one named", remedy)
    if request.model_dir.lower().startswith(("s3://", "gs://")):
        raise NotCovered("vLLM copies a model from object storage to a directory of its own, and hashes that", remedy)


def _refuse_unsupported(request: FingerprintRequest, profile: Mapping[str, Any]) -> None:
    """Say no to an architecture before its configuration class is looked for, which aot may not know."""
    overrides = request.engine_args.get("hf_overrides")
    named = overrides.get("architectures") if isinstance(overrides, dict) else None
    named = request.hf_config.get("architectures") if named is None else named
    if isinstance(named, list) and named and isinstance(named[0], str):
        _model_class(named[0], profile)


def _model_class(architecture: str, profile: Mapping[str, Any]) -> str:
    """``_get_neuron_model_cls`` of the plugin, for the architectures that vLLM knows as well."""
    name = profile["plugin"]["architectures"].get(architecture)
    if name is None:
        supported = ", ".join(sorted(profile["plugin"]["architectures"]))
        raise Refused(f"{architecture} is not supported on Neuron by this release", f"supported: {supported}")
    return str(name)
