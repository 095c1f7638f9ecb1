# Two commands matter: `make run` (the demo with its console) and `make test` (everything).
V := .venv
PY := $(V)/bin/python
LOCKS := requirements.lock requirements-dev.lock
PACKAGES := daemon detectors remediations config demo

.PHONY: install run test lint format types layers lock bench soak docs clean

install: $(V)/.installed
run: $(V)/.installed
	$(V)/bin/fleetmend demo

# A hashed requirements file and an editable project need two calls: pip refuses to mix them.
$(V)/.installed: requirements.lock pyproject.toml
	python3 -m venv $(V)
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(V)/.tools: requirements-dev.lock pyproject.toml
	python3 -m venv $(V)
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@ $(V)/.installed

lint: $(V)/.tools
	$(V)/bin/ruff check .
	$(V)/bin/ruff format --check .
types: $(V)/.tools
	$(V)/bin/mypy
layers: $(V)/.tools
	$(V)/bin/lint-imports
format: $(V)/.tools
	$(V)/bin/ruff check --fix .
	$(V)/bin/ruff format .

test: lint types layers
	$(PY) .ci/run_tests.py
soak: $(V)/.tools
	$(PY) .ci/run_tests.py --soak
bench: $(V)/.tools
	$(PY) -m benchmarks
docs: $(V)/.tools
	$(PY) docs/generate.py

# uv writes the locks; it ignores pip's settings, so neither a host nor a path gets in.
lock: $(V)/.tools
	$(PY) -m pip install -q uv
	env -u UV_DEFAULT_INDEX -u UV_INDEX $(V)/bin/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra demo --group build -o requirements.lock
	env -u UV_DEFAULT_INDEX -u UV_INDEX $(V)/bin/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra demo --group dev -o requirements-dev.lock

clean:
	rm -rf $(V) build dist
