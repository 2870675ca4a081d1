#!/bin/sh
# Build the simulator's image in the Docker engine unless it is there; prints its reference on stdout.
# Usage: simulator_image.sh [BASE_IMAGE]; PYTHON names an interpreter of 3.11 or newer.
#
# Without BASE_IMAGE the base is made by base_image.sh: no registry is needed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
context=$repository/images/simulator

if [ -z "${PYTHON:-}" ]; then
    PYTHON=$repository/.venv/bin/python
    [ -x "$PYTHON" ] || PYTHON=python3
fi
tag=$(cd "$repository" && "$PYTHON" -c "
import sys; from pathlib import Path; from aot.compile.simulator_image import reference
print(reference(Path(sys.argv[1])))" "$context")

if ! docker image inspect "$tag" >/dev/null 2>&1; then
    base=${1:-$(sh "$here/base_image.sh")}
    # The classic builder: it needs no plugin, and takes a base that exists only in this engine.
    DOCKER_BUILDKIT=0 docker build --quiet --network none --build-arg "BASE=$base" --tag "$tag" "$context" >&2
    docker tag "$tag" aot-simulator:latest
fi
echo "$tag"
