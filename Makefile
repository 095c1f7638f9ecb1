# Two commands matter: `make run` (the demo with its console) and `make test` (everything).
# Needed: python3 (3.11) with venv and pip, make, git. `make test` skips, by name, what a missing server would prove.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
V := .venv
PY := $(V)/bin/python
PIP := $(PY) -m pip install -q --disable-pip-version-check
UV := env -u UV_DEFAULT_INDEX -u UV_INDEX $(V)/bin/uv pip compile -q --system-certs --python-version 3.11 --universal \
	--generate-hashes --no-emit-index-url --no-header pyproject.toml --extra demo

.PHONY: install tools run test gate lint types layers sizes tree docs-check docs format lock bench soak clean

install: $(V)/.installed
tools: $(V)/.tools

run: $(V)/.installed
	$(V)/bin/fleetmend demo

# A hashed requirements file and an editable project need two calls: pip refuses to mix them.
$(V)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(V)
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(V)/.tools: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(V)
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@ $(V)/.installed

test: gate
	$(PY) .ci/run_tests.py
soak: gate
	$(PY) .ci/run_tests.py --soak

# What can be told without running the product.
gate: lint types layers sizes tree docs-check
lint: $(V)/.tools
	$(V)/bin/ruff check .
	$(V)/bin/ruff format --check .
types: $(V)/.tools
	$(V)/bin/mypy
	$(V)/bin/mypy $(wildcard .ci/*.py) docs/generate.py $(wildcard docs/pages/*.py)
	$(V)/bin/mypy -p benchmarks -p tests
layers: $(V)/.tools
	$(V)/bin/lint-imports
sizes: $(V)/.tools
	$(PY) .ci/check_sizes.py
tree: $(V)/.tools
	$(PY) .ci/check_tree.py
docs-check: $(V)/.tools
	$(PY) docs/generate.py --check

docs: $(V)/.tools
	$(PY) docs/generate.py
format: $(V)/.tools
	$(V)/bin/ruff check --fix .
	$(V)/bin/ruff format .
bench: $(V)/.tools
	$(PY) -m benchmarks

# uv writes the locks; it ignores pip's settings, so neither a host nor a path gets in.
lock: $(V)/.tools
	$(PIP) uv
	$(UV) --group build -o requirements.lock
	$(UV) --group dev -o requirements-dev.lock

clean:
	rm -rf $(V) build dist
