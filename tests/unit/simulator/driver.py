"""Runs inside the simulator: build the config of many cases that share one environment, through the runner itself.

Cases come as JSON Lines on stdin and leave as JSON Lines on stdout: ``{"id", "md5"}`` or ``{"id", "error", "known"}``.
"""

import json
import sys
from pathlib import Path

from aot_runner import serving
from aot_runner.events import Events
from aot_runner.failures import RunnerError
from aot_runner.job import parse_job
from aot_runner.patches import Patcher, hardware_alias
from aot_runner.results import Result
from aot_simulator import DoesNotKnow, files


def build(upstream, case: dict) -> dict:
    model = files.place(case["model_dir"])
    model.mkdir(parents=True, exist_ok=True)
    (model / "config.json").write_text(json.dumps(case["hf_config"]), encoding="utf-8")
    job = parse_job(
        {
            "schema_version": 1,
            "action": "fingerprint",
            "target": "inf2",
            "model_path": case["model_dir"],
            "engine_args": case["engine_args"],
            "usage_context": case.get("usage_context", "OPENAI_API_SERVER"),
            "output_dir": "",
            "cache_dir": "",
            "work_dir": "",
        }
    )
    try:
        text = serving.build(upstream, job).canonical_text()
    except (RunnerError, OSError) as error:
        unknown = isinstance(error.__cause__, DoesNotKnow)
        return {"id": case["id"], "error": str(error), "known": not unknown}
    return {"id": case["id"], "md5": serving.fingerprint(text), "text": text}


def main() -> None:
    import neuronx_distributed.utils.utils  # noqa: F401 (before the alias, as the runner does)

    devnull = Path("/dev/null").open("wb")  # noqa: SIM115 (lives as long as the process)
    Patcher(Events(devnull.fileno()), Result()).apply(hardware_alias, {})
    upstream = serving.import_upstream()
    for line in sys.stdin:
        print(json.dumps(build(upstream, json.loads(line))))


main()
