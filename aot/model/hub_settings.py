"""Where the Hub is and where its cache lies, read from the variables that every Hugging Face tool honours.

huggingface_hub reads the same variables, but once, when it is imported, and importing it costs more than a whole
reused build may take. The names and their precedence follow ``huggingface_hub.constants`` 1.x.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubSettings:
    """One Hub and one cache. The token is not here: the client reads HF_TOKEN or its token file itself."""

    endpoint: str = DEFAULT_ENDPOINT
    cache_dir: Path = Path("~/.cache/huggingface/hub")
    listing_dir: Path = Path("~/.cache/aot/listings")
    offline: bool = False
    timeout: float = 20.0  # seconds to wait for one answer; downloads have the client's own
    token_given: bool = False
    retry_delays: tuple[float, ...] = (1.0, 4.0)  # seconds before each repetition of a request that met a busy Hub

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> HubSettings:
        """HF_ENDPOINT, HF_HUB_CACHE / HF_HOME / XDG_CACHE_HOME, HF_HUB_OFFLINE, and whether HF_TOKEN is set."""
        xdg = Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        home = Path(environ.get("HF_HOME") or xdg / "huggingface").expanduser()
        cache = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE") or home / "hub"
        offline = environ.get("HF_HUB_OFFLINE") or environ.get("TRANSFORMERS_OFFLINE") or ""
        return cls(
            endpoint=(environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/"),
            cache_dir=Path(cache).expanduser(),
            listing_dir=xdg / "aot" / "listings",
            offline=offline.upper() in _TRUE,
            token_given=bool(environ.get("HF_TOKEN") or environ.get("HUGGING_FACE_HUB_TOKEN")),
        )

    @property
    def shown_endpoint(self) -> str:
        """The endpoint for messages: credentials inside the URL are left out."""
        scheme, separator, rest = self.endpoint.rpartition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
