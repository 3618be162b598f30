PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test check bench clean

setup: $(VENV)/.ready  ## Build .venv with the program at .venv/bin/striate

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo '$(PYTHON) is not Python 3.11 or newer, which Striate needs.' \
		'Name one that is: make setup PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup  ## Size, draw, train, test and use a small network; under a minute
	@scripts/demo.sh $(BIN)

test: setup  ## Run every test, a process for each core; under five minutes on two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

check: setup  ## Lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup  ## Accuracy after a given time of training, with spread
	$(BIN)/python benchmarks/time_to_accuracy.py

clean:  ## Remove caches and builds; runs/ and .venv stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find striate tests scripts benchmarks -name __pycache__ -type d -exec rm -rf {} +
