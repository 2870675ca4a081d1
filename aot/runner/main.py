"""One job from start to ``result.json``."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import capture, children, environment, facts, serving
from .events import Events
from .failures import Refused, RunnerError, Stopped
from .graphs import GraphWatcher
from .job import Job, output_dir_of, parse_job, read_document
from .patches import Patcher, compile_jobs, hardware_alias
from .results import Result, write_atomically

if TYPE_CHECKING:
    from types import FrameType

# The disk, the permissions or the memory of the host, not the model, whatever the phase.
HOST_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOMEM, errno.EMFILE)


def main(arguments: list[str], events_descriptor: int) -> int:
    """Run the job named on the command line; 0 when it is done, 1 when ``result.json`` says why not."""
    if len(arguments) != 2:
        print("usage: python -m aot_runner JOB.json", file=sys.stderr)
        return 1
    events, result = Events(events_descriptor), Result()
    signal.signal(signal.SIGTERM, _stop)
    output_dir, phase = None, "start"
    try:
        document = read_document(arguments[1])
        output_dir = output_dir_of(document)
        run = Run(parse_job(document), events, result)
        try:
            run()
        finally:
            phase = run.phase
    except BaseException as error:  # noqa: BLE001 (the boundary: whatever ends the job, the host must be told)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the report
        traceback.print_exc()
        result.fail(kind_of(error, phase), error, _message(error))
        children.kill_all()
    return _report(events, result, output_dir)


def _report(events: Events, result: Result, output_dir: str | None) -> int:
    try:
        if output_dir is not None:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            result.write(output_dir)
    except OSError as error:  # a full disk, most likely: the exit status still tells
        print(f"cannot write {output_dir}/result.json: {error}", file=sys.stderr)
        return 1
    events.emit("result", outcome=result.outcome)
    return 0 if result.error is None else 1


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of a handler)
    raise Stopped("stopped by SIGTERM")


def kind_of(error: BaseException, phase: str) -> str:
    """The ``error.kind`` of whatever ended a job in ``phase``."""
    if isinstance(error, RunnerError):
        return error.kind
    if isinstance(error, (Stopped, KeyboardInterrupt, MemoryError)) or _is_of_the_host(error):
        return "environment"
    if phase == "compile" and isinstance(error, (Exception, SystemExit)):
        return "compile"
    of_the_image = phase == "import" and isinstance(error, Exception)
    return "environment" if of_the_image or isinstance(error, (ImportError, OSError)) else "internal"


def _is_of_the_host(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in HOST_ERRNOS:
            return True
        error = error.__cause__ or error.__context__
    return False


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the process was asked to exit with status {error.code!r}"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) or type(error).__name__


class Run:
    """The steps of a job; ``phase`` says which one is running."""

    def __init__(self, job: Job, events: Events, result: Result) -> None:
        self.job = job
        self.phase = "start"
        self._events = events
        self._result = result
        self._patcher = Patcher(events, result)

    def __call__(self) -> None:
        """Run the job to its end; whatever goes wrong is raised."""
        self._variables = environment.prepare(self.job)
        logging.basicConfig(
            stream=sys.stderr, level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s"
        )
        self._result.versions = facts.versions()
        self._result.simulated = facts.is_simulated()
        self._events.emit("started", versions=self._result.versions, simulated=self._result.simulated)
        if self.job.action == "capture":
            self._capture()
            return
        serving.refuse_uncovered(self.job)
        config = self._config()
        if self.job.action == "fingerprint":
            self._result.outcome = "fingerprinted"
            return
        self._check_expected()
        self._patch()
        self._compile(config)
        self._result.outcome = "compiled"

    def _capture(self) -> None:
        """Describe the image. What cannot be imported here is read from its sources all the same."""
        with self._in("import"):
            problem = capture.import_problem()
        with self._in("capture"):
            text = capture.as_text(capture.capture(self._result.versions, problem))
            write_atomically(Path(self.job.output_dir) / "capture.json", text)
        self._result.outcome = "captured"

    def _in(self, name: str) -> Any:
        self.phase = name
        return self._events.phase(name)

    def _config(self) -> serving.ServeConfig:
        with self._in("import"):
            importlib.import_module("neuronx_distributed.utils.utils")
            # Between these two imports and nowhere else: see the patch.
            aliased = self._patcher.apply(hardware_alias, {})
            upstream = serving.import_upstream()
        with self._in("config"):
            config = serving.build(upstream, self.job)
        with self._in("fingerprint"):
            self._fingerprint(config)
            self._result.platform = facts.platform_facts(self.job.target, aliased)
        return config

    def _fingerprint(self, config: serving.ServeConfig) -> None:
        text = config.canonical_text()
        digest = serving.fingerprint(text)
        write_atomically(Path(self.job.output_dir) / "canonical.json", text)
        result = self._result
        result.fingerprint = {"md5": digest}
        result.architecture = config.architecture
        result.model_class = config.model_class.__name__
        result.config_class = type(config.config).__name__
        result.neuron_config_class = type(config.config.neuron_config).__name__
        result.resolved = config.resolved
        self._events.emit("fingerprint", md5=digest, architecture=config.architecture, model_class=result.model_class)

    def _check_expected(self) -> None:
        """Another configuration than the host predicted: say so now, not after an hour of compiling."""
        expected, found = self.job.expected_fingerprint, (self._result.fingerprint or {}).get("md5")
        if expected is not None and expected != found:
            raise RunnerError("mismatch", f"the fingerprint is {found}, expected {expected}")

    def _patch(self) -> None:
        with self._in("patch"):
            if self.job.jobs is not None:
                self._patcher.apply(compile_jobs, {"jobs": self.job.jobs})
            self._patcher.apply_requested(self.job.patches)

    def _compile(self, config: serving.ServeConfig) -> None:
        if config.config.neuron_config.quantized:
            raise Refused("quantized models are not covered yet: the server quantizes the weights before it compiles")
        for name in environment.reapply(self._variables):
            print(f"{name} was changed by an import; set again before compiling", file=sys.stderr)
        compiled = Path(self.job.output_dir) / "compiled"
        compiled.mkdir(exist_ok=True)
        with self._in("compile"), GraphWatcher(os.environ["BASE_COMPILE_WORK_DIR"], self._events):
            model = config.model_class(self.job.model_path, config.config)
            model.compile(str(compiled))
        self._check_written(compiled)

    def _check_written(self, compiled: Path) -> None:
        """The server needs both files and nothing else tells a complete artifact from half of one."""
        with self._in("save"):
            for name in ("neuron_config.json", "model.pt"):
                if not (compiled / name).is_file():
                    raise RunnerError("compile", f"compile() returned, but {name} is missing")
