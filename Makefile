# Two commands: `make run` shows gracewatch at work, `make test` proves it.  Both install the locked dependencies first.
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test format lint types floors tests docs-fresh docs pictures bench b4 fuzz chaos soak sbom vulnerabilities calibration lock clean

run: $(VENV)/.installed-run
	$(BIN)/gracewatch run $(if $(CONFIG),--config $(CONFIG))

test: format lint types floors tests docs-fresh

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gracewatch needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-run: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked dependencies into $(VENV) …" >&2
	$(PIP) install --require-hashes --no-deps -r requirements.lock -r requirements-build.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-test: requirements-dev.lock $(VENV)/.installed-run
	@echo "installing the locked test tools into $(VENV) …" >&2
	$(PIP) install --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

format: $(VENV)/.installed-test
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

floors: $(VENV)/.installed-test
	$(BIN)/lint-imports

# Four at a time on any machine: most of them wait for servers.  What a file's tests share is made once.
tests: $(VENV)/.installed-test
	$(BIN)/pytest -q -n 4 --dist loadfile

# The pages that are made from the code must say what the code says.
docs-fresh: $(VENV)/.installed-test
	$(BIN)/python -m tests.house.generate --check

docs: $(VENV)/.installed-test
	$(BIN)/python -m tests.house.generate

# The pictures of a thread, from the blocks that the tests store; wants chromium.
pictures: $(VENV)/.installed-test
	$(BIN)/python -m tests.house.pictures

# Each target for so many seconds; with 100 it takes about ten minutes.
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),10)

# Kills the service so many times, and looks whether its chat lost anything or heard anything twice.  With
# STORE=postgresql and REPLICAS=3 some are also cut off from their database or frozen.
chaos: $(VENV)/.installed-test
	$(BIN)/python -m tests.chaos.run --kills $(or $(KILLS),50) --store $(or $(STORE),sqlite) --replicas $(or $(REPLICAS),1)

# A simulated day of three lists at ten times their rate, in a quarter of an hour: lag and memory, hour for hour.
soak: $(VENV)/.installed-test
	$(BIN)/python -m tests.soak.run --hours $(or $(HOURS),24) --speed $(or $(SPEED),90)

# The tools of these two are in an environment of their own: what we ship is looked at, not what looks at it.
.venv-audit/.installed: requirements-audit.lock
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r requirements-audit.lock
	@touch $@

sbom: .venv-audit/.installed
	.venv-audit/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-file sbom.json

vulnerabilities: .venv-audit/.installed
	.venv-audit/bin/pip-audit --requirement requirements.lock --disable-pip --progress-spinner off

# b4 is GPL: it judges our series from an environment of its own and is no dependency.
.venv-b4/.installed: requirements-b4.lock
	$(PYTHON) -m venv .venv-b4
	.venv-b4/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r requirements-b4.lock
	@touch $@

b4: .venv-b4/.installed

# MAIL_CORPUS names archives of real mail, KERNEL_TREE kernel sources; what is absent is skipped.
bench: $(VENV)/.installed-test
	@$(BIN)/python -m benchmarks

# CASES is a list of known changes, TREE the kernel sources they are laid over; docs/house.md tells of both.
calibration: $(VENV)/.installed-run
	$(BIN)/gracewatch evaluate $(CASES) --tree $(TREE) --judged docs/judged.tsv --format calibration > bot/calibration.new
	mv bot/calibration.new bot/calibration.py

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements-dev.lock
	printf 'pip-audit\ncyclonedx-bom\n' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header - -o requirements-audit.lock
	echo 'b4==0.16.0' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header - -o requirements-b4.lock
	echo hatchling | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header - -o requirements-build.lock

clean:
	rm -rf $(VENV) .venv-audit .venv-b4 sbom.json .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
