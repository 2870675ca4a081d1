# Everything a person or CI runs. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Real parts that must be there (docker,registry,skopeo,torch): their tests fail instead of skipping.
AOT_REQUIRE ?=
PYTEST_ARGS ?=
HUB_PORT ?= 8471
comma := ,
REQUIRED = $(subst $(comma), ,$(AOT_REQUIRE))

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench hub simulator-image docs lock wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# torch is large and only one proof needs it, so it is installed when it is required.
$(VENV)/.torch: $(VENV)/.dev requirements/torch.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	@touch $@

demo: $(VENV)/.runtime ## the main job on the embedded default: Qwen3-8B for inf2, simulated
	$(BIN)/python tests/demo.py

test: $(VENV)/.dev $(if $(filter torch,$(REQUIRED)),$(VENV)/.torch) lint ## lint, types, then all tests
	AOT_REQUIRE=$(AOT_REQUIRE) $(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tests/docs/generate.py --check

format: $(VENV)/.dev ## rewrite the code as ruff wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## ratios measured side by side in one run
	$(BIN)/python tests/bench/bench.py

hub: $(VENV)/.runtime ## serve examples/models as a small local model hub
	$(BIN)/python -m tests.support.hub --port $(HUB_PORT)

simulator-image: ## build the simulator image in the local Docker engine (needs root for debootstrap)
	sh tests/support/simulator_image.sh

docs: $(VENV)/.dev ## rewrite the generated tables
	$(BIN)/python tests/docs/generate.py

lock: $(VENV)/.dev ## refresh the locked dependencies
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --quiet --upgrade \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in -o requirements/runtime.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --quiet --upgrade \
	  --custom-compile-command "make lock" -c requirements/runtime.txt pyproject.toml requirements/build.in \
	  requirements/dev.in -o requirements/dev.txt

wheel: $(VENV)/.runtime ## build the wheel into dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what the targets above made
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache
