"""A model snapshot: a Hub id pinned to a commit, or a local directory. No weights unless asked for."""

from aot.model.fetch import fetch
from aot.model.hub_settings import HubSettings
from aot.model.snapshot import ModelFile, ModelSnapshot

__all__ = ["HubSettings", "ModelFile", "ModelSnapshot", "fetch"]
