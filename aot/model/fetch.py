"""Decide whether a model is a directory or a Hub repository, and bring it here."""

from __future__ import annotations

import os
from pathlib import Path

from aot.errors import AotError, ErrorId
from aot.model.hub import fetch_from_hub
from aot.model.hub_settings import HubSettings
from aot.model.model_files import select, without_config
from aot.model.model_path import canonical_path, is_hub_id, local_id
from aot.model.snapshot import ModelSnapshot, describe, read_config, unreadable
from aot.progress import Progress, Silent


def fetch(
    model: str,
    revision: str | None = None,
    *,
    trust_remote_code: bool = False,
    with_weights: bool = False,
    path: str | None = None,
    progress: Progress | None = None,
    hub: HubSettings | None = None,
) -> ModelSnapshot:
    """Resolve a model and make its files readable here.

    An existing directory wins over a Hub id of the same spelling, as in vLLM. From the Hub only the files of
    ``model_files`` are fetched, into the user's own cache; a commit that is already there costs no request.
    """
    progress = progress or Silent()
    if os.path.lexists(model):
        if is_hub_id(model):
            progress.info(f"{model}: using the local directory of that name, not the Hub")
        return _from_directory(model, revision, path, trust_remote_code=trust_remote_code, with_weights=with_weights)
    if not is_hub_id(model):
        raise _no_such_model(model)
    in_container, warnings = canonical_path(model, path)
    fetched = fetch_from_hub(
        model,
        revision,
        hub or HubSettings.from_environment(),
        progress,
        trust_remote_code=trust_remote_code,
        with_weights=with_weights,
    )
    return ModelSnapshot(
        id=model,
        commit=fetched.commit,
        directory=fetched.directory,
        path=in_container,
        files=fetched.files,
        config=read_config(fetched.directory / "config.json"),
        downloaded_bytes=fetched.downloaded_bytes,
        warnings=(*warnings, *fetched.warnings),
    )


def _from_directory(
    model: str, revision: str | None, path: str | None, *, trust_remote_code: bool, with_weights: bool
) -> ModelSnapshot:
    directory = Path(model)
    _require_directory(directory)
    if revision is not None:
        raise AotError(
            ErrorId.USAGE,
            reason=f"{model} is a local directory, which has no revisions (--revision {revision})",
            remedy="Leave --revision out, or run from a directory where no such folder hides the Hub id.",
        )
    try:
        names = [found.relative_to(directory).as_posix() for found in _walk(directory) if found.is_file()]
    except OSError as error:
        raise unreadable(directory, error) from error
    if "config.json" not in names:
        why, remedy = without_config(names)
        raise AotError(ErrorId.MODEL_NO_CONFIG, reason=f"{model} has no config.json{why}", remedy=remedy)
    model_id = local_id(directory)
    in_container, warnings = canonical_path(model_id, path)
    selected = select(names, trust_remote_code=trust_remote_code, with_weights=with_weights)
    return ModelSnapshot(
        id=model_id,
        commit=None,
        directory=directory.absolute(),
        path=in_container,
        files=describe(directory, selected),
        config=read_config(directory / "config.json"),
        warnings=tuple(warnings),
    )


def _walk(directory: Path) -> list[Path]:
    """Top level and the folder of named templates: deeper files are never read, and may be many."""
    templates = directory / "additional_chat_templates"
    return [*directory.iterdir(), *(templates.iterdir() if templates.is_dir() else ())]


def _require_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    broken = directory.is_symlink() and not directory.exists()
    raise AotError(
        ErrorId.MODEL_UNREADABLE,
        reason=f"{directory} is {'a dangling symlink' if broken else 'a file'}, not a model directory",
        remedy="Give the directory that holds config.json, or a Hub id such as Qwen/Qwen3-8B.",
    )


def _no_such_model(model: str) -> AotError:
    remedy = "Check the path, or give a Hub id such as Qwen/Qwen3-8B."
    if "://" in model:
        tail = "/".join(model.split("://", 1)[1].split("/")[1:3])
        remedy = f"Give the id without the address{f': {tail}' if is_hub_id(tail) else ', such as Qwen/Qwen3-8B'}."
        return AotError(ErrorId.MODEL_NOT_FOUND, reason="a model is given by its id, not by a URL", remedy=remedy)
    looks_like_path = model.startswith(("/", ".", "~")) or model.count("/") > 1
    reason = f"there is no directory {model}"
    if not looks_like_path:
        reason = f"{model!r} is neither an existing directory nor a valid Hub id (org/name)"
    return AotError(ErrorId.MODEL_NOT_FOUND, reason=reason, remedy=remedy)
