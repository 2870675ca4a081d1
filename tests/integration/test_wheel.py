"""The installed wheel, away from the checkout: data, simulator and runner come out of the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from aot import resources
from aot.compile import simulator_image
from tests.support.cli import EXAMPLE, ROOT, SERVE, SIMULATE, Aot


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that holds the wheel and nothing else."""
    home = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(home), str(ROOT)]
    subprocess.run([*pip, *build], check=True, timeout=120)
    venv.create(home / "env", with_pip=False)
    python = home / "env" / "bin" / "python"
    (wheel,) = home.glob("*.whl")
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True, timeout=120)
    return python


def run(python: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run from ``/``; only the dependencies are borrowed, an editable install is not visible over PYTHONPATH."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AOT_", "HF_"))},
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "AOT_STORE": str(home / "store"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    return subprocess.run(
        [str(python), *arguments], cwd="/", env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_package_is_the_installed_one_and_carries_the_same_simulator(installed: Path, tmp_path: Path) -> None:
    code = (
        "import aot; from aot import resources; from aot.compile import simulator_image as s;"
        "print(aot.__file__); print(s.reference(resources.simulator()))"
    )
    done = run(installed, "-c", code, home=tmp_path)
    where, reference = done.stdout.split()
    assert str(installed.parents[1]) in where, done.stderr
    assert reference == simulator_image.reference(resources.simulator())


def test_the_same_build_works_from_anywhere(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "-m", "aot", "build", str(EXAMPLE), *SERVE, *SIMULATE, "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["fingerprint"]["found"] == "cdb41dafa78720b351955fd849347b26"
    here = Aot(tmp_path / "here").build()
    assert "template-not-rendered" not in [finding["id"] for finding in document["eos"]["findings"]]
    assert document["artifact"]["digest"] == here.document["artifact"]["digest"], "not a matter of the installation"


def test_the_chat_template_is_rendered_although_jinja_is_only_on_pythonpath(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "-m", "aot", "eos", "check", str(EXAMPLE), "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert "template-not-rendered" not in [finding["id"] for finding in document["findings"]]
    assert document["turn_end"]["id"] == 151645
