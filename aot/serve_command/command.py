"""What a command line stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ServeCommand:
    """One server process as started.

    ``model`` is the string vLLM is given. ``engine_args`` holds the given fields of ``EngineArgs`` besides the model
    (absent key = flag not given), ``server_flags`` the fields of given flags that only concern the HTTP server,
    ``env`` the variables set in the command itself. ``notes`` are traps of vLLM's parser that this command runs into.
    """

    model: str
    engine_args: dict[str, Any]
    server_flags: list[str]
    env: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
