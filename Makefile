# What a person types. Everything runs in .venv, which the first target that needs it makes.

# The first Python that is new enough; 3.11 is asked for first, since the pinned torch is a small CPU build there.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$p" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; exit; }; done)
BIN := .venv/bin
# Made when stepdbg runs in .venv, and when all that its developers need is there as well.
RUNS := .venv/.runs
INSTALLED := .venv/.installed
# An environment that sees the torch of the machine, which is the one built for its GPU.
GPU := .venv-gpu
INSTALL := $(BIN)/python -m pip install --quiet --progress-bar off -c constraints.txt

# What every deadline of the tests is multiplied by: three of them share two cores.
export STEPDBG_TEST_PATIENCE ?= 2

.PHONY: demo test test-nightly quick lint format serve record bench gpu pictures keys wheel clean

demo: $(RUNS)  ## the screen, on digits being learned
	$(BIN)/stepdbg demos/mnist.py

test: $(INSTALLED)  ## all that must hold
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not nightly" tests

test-nightly: $(INSTALLED)  ## the same, and again in every size, with each demo, by each command
	$(BIN)/python -m pytest -n 3 --dist worksteal tests

quick: $(INSTALLED)  ## what can be seen in a minute: all that starts no program, and one story on a pty
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "text or quick" --hypothesis-profile quick tests

lint: $(INSTALLED)  ## style, types, arrows between the folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

serve: $(INSTALLED)  ## the screen in Textual's development mode, on a fake debuggee; no torch
	$(BIN)/textual run --dev -c $(BIN)/python -m stepdbg.tui.serve

record: $(INSTALLED)  ## what the fake debuggee replays: answers of the real tracer, from a run of tests/recording/textbook.py
	PYTHONPATH=tests $(BIN)/python tests/recording/record.py

bench: $(INSTALLED)  ## every budget, measured side by side on a real terminal; overhead also beside other tools
	$(INSTALL) -e '.[peers]'
	for b in first_paint step_latency bytes_per_step inspector many_tensors tracing checking overhead breakpoints public_api; do \
		PYTHONPATH=tests $(BIN)/python benchmarks/$$b.py || exit 1; done

gpu:  ## what only a GPU can tell: bits, waits, memory, speed; eight minutes at most; see CONTRIBUTING.md
	@test -x $(GPU)/bin/python || { $(PYTHON) -m venv --system-site-packages $(GPU) && \
		$(GPU)/bin/python -m pip install --quiet --progress-bar off -e . pytest hypothesis pexpect pyte; }
	PYTHONPATH=tests:benchmarks $(GPU)/bin/python benchmarks/gpu.py

pictures: $(INSTALLED)  ## the pictures in docs/pictures, from a real run
	PYTHONPATH=tests $(BIN)/python docs/pictures.py

keys: $(INSTALLED)  ## the table of docs/keys.md, from the registry
	$(BIN)/python docs/keys.py

wheel: $(RUNS)  ## dist/: a wheel for environments with a torch of their own
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf .venv .venv-gpu dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Installed again only when what is to be installed has changed. The demo needs no developer's tools and no frameworks.
$(RUNS): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "stepdbg needs Python 3.11 or newer (with venv); set PYTHON=…" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing stepdbg with torch into .venv, once: some minutes, most of them for torch" >&2
	@$(INSTALL) -e .
	@touch $(RUNS)

$(INSTALLED): $(RUNS) pyproject.toml constraints.txt
	@echo "installing what tests and lint need, and the frameworks that are tested against: some minutes, 1 GB" >&2
	@$(INSTALL) -e '.[dev,frameworks]'
	@touch $(RUNS) $(INSTALLED)
