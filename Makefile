# Drava on Debian or Ubuntu: `make demo` shows it, `make test` proves it. Everything goes into .venv, nothing into the system.
PYTHON ?= python3
ARGS ?=
JOBS ?= 2
SEEDS ?= 301..305
VENV := .venv
BENCHES ?= ingest kills daiad battledim
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
export PATH := $(PATH):/usr/sbin:/usr/local/sbin
# As drava/__main__.py: our matrices are small.
export OPENBLAS_NUM_THREADS ?= 1
# Debian keeps mosquitto in /usr/sbin, which is not on everybody's path.

.DEFAULT_GOAL := help
.PHONY: help demo cities test check bench soak wheel clean mosquitto

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

demo: $(VENV)/.demo ## a simulated city, live until Ctrl-C; make demo ARGS=--once ends by itself
	@$(BIN)/drava demo $(ARGS)

cities: $(VENV)/.demo ## several simulated cities: what was found of what was hidden, by kind; SEEDS=1..3
	@$(BIN)/drava demo --once --seeds $(SEEDS) $(ARGS)

test: $(VENV)/.dev mosquitto ## the whole suite, against a real Mosquitto; a file's tests stay together
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict .
	@$(BIN)/lint-imports

bench: $(VENV)/.bench mosquitto ## measurements, each printed as it is taken
	@set -e; for name in $(BENCHES); do echo "== bench/$$name.py"; $(BIN)/python bench/$$name.py; done

soak: $(VENV)/.dev mosquitto ## long fault and load runs
	@$(BIN)/python -m pytest -q -m soak $(ARGS)

wheel: $(VENV)/.dev ## dist/drava-*.whl
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean: ## removes .venv, caches, builds and the demo's home
	rm -rf $(VENV) build dist demo-home .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it stands for: the second call does nothing.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Drava needs Python 3.11 or newer. Run: sudo apt-get install -y python3 python3-venv"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv is missing. Run: sudo apt-get install -y python3-venv"; exit 2; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml hatch_build.py requirements.lock | $(VENV)/.python
	@echo "Installing Drava into $(VENV) (about a minute the first time) ..."
	@$(PIP) install --constraint requirements.lock --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml hatch_build.py requirements.lock | $(VENV)/.python
	@echo "Installing Drava and its development tools into $(VENV) ..."
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --editable .
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) install aiomqtt==2.5.1  # the peer that ingestion is measured against
	@touch $@

mosquitto:
	@command -v mosquitto >/dev/null || sh .ci/apt mosquitto
