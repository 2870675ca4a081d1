"""SIMULATED ``vllm.config``."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class ValidationError(ValueError):
    """Upstream's is pydantic's, a ValueError too."""

    def __init__(self, model: str, problem: str) -> None:
        super().__init__(f"1 validation error for {model}\n  {problem}")


@dataclass
class VllmConfig:
    model_config: SimpleNamespace
    cache_config: SimpleNamespace
    parallel_config: SimpleNamespace
    scheduler_config: SimpleNamespace
    additional_config: dict[str, Any] = field(default_factory=dict)
    speculative_config: Any = None
    lora_config: Any = None
