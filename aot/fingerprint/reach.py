"""How far the hash reaches: which flags and variables can enter it at all.

Measured, release by release, in ``docs/FINGERPRINT.md``; a test holds these sets against that measurement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aot.fingerprint.engine_settings import DISABLE_CUSTOM_SCHEDULER
from aot.fingerprint.platform import LOGICAL_CORES, TARGET_OVERRIDE

if TYPE_CHECKING:
    from aot.fingerprint.request import FingerprintRequest

FLAGS = frozenset({
    "additional_config", "block_size", "dtype", "enable_chunked_prefill", "enable_prefix_caching", "hf_overrides",
    "max_model_len", "max_num_batched_tokens", "max_num_seqs", "num_gpu_blocks_override", "tensor_parallel_size",
})  # fmt: skip
"""Fields of ``EngineArgs`` besides the model that can change the hash; every other one can only be refused."""

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # huggingface_hub/constants.py: the second stands in for the first
REDIRECT = "VLLM_MODEL_REDIRECT_PATH"  # vllm/transformers_utils/utils.py maybe_model_redirect
VARIABLES = frozenset({TARGET_OVERRIDE, LOGICAL_CORES, DISABLE_CUSTOM_SCHEDULER, REDIRECT, *OFFLINE})
"""Variables that can change the hash."""


def outside(request: FingerprintRequest) -> list[str]:
    """The given flags that do not enter the hash of this request, sorted."""
    unused = {name for name in request.engine_args if name not in FLAGS}
    if request.env.get(DISABLE_CUSTOM_SCHEDULER, "0") == "0":
        # The platform class then forces its own values (engine_settings).
        unused |= {"enable_chunked_prefill", "max_num_batched_tokens"}
        if request.engine_args.get("enable_prefix_caching") is False:
            unused.add("block_size")
    if "architectures" not in (request.engine_args.get("hf_overrides") or ()):
        unused.add("hf_overrides")
    return sorted(unused & request.engine_args.keys())
