# Everything a fresh machine needs is Python (3.11 or newer), make and a package registry.
# Paths are relative on purpose: the folder that holds this file may have a space in its name.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
OLDEST := .venv-oldest
OLDEST_PYTHON ?= python3.11
RUN := $(VENV)/bin/python
# Two processes share the tests: more would compile the same kernels, and train in each other's way.
IN_PARALLEL := -n 2 --dist worksteal
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# A set PYTHONDONTWRITEBYTECODE costs 15 to 30 seconds at every start of PyTorch.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-slow test-triton test-oldest lint types types-all check package bench exactness physiology compat docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "    make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed-demo ## spoken words to a trained, scored network, with pictures in demo/
	$(RUN) -m spikedata demo --out demo --overwrite

test: $(VENV)/.installed-dev ## run the tests
	$(RUN) -m pytest -q $(IN_PARALLEL)

test-slow: $(VENV)/.installed-dev ## run the tests that take minutes
	$(RUN) -m pytest -q -m slow

test-triton: $(VENV)/.installed-dev ## check the kernels for GPUs on the CPU (fetches the package triton, 286 MB)
	$(RUN) -m pip install --quiet --disable-pip-version-check triton
	$(RUN) -m pytest -q tests/spikedata/nn/kernels/test_triton.py tests/spikedata/nn/kernels/test_triton_compiles.py

test-oldest: $(OLDEST)/.installed ## run the tests with the oldest releases that pyproject.toml permits
	$(OLDEST)/bin/python -X faulthandler -m pytest -q $(IN_PARALLEL)

lint: $(VENV)/.installed-dev ## check style and formatting
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/.installed-dev ## check types
	$(RUN) -m mypy

types-all: $(VENV)/.installed-dev ## check types as on Linux, macOS and Windows
	for system in linux darwin win32; do \
		$(RUN) -m mypy --platform $$system --cache-dir .mypy_cache/$$system || exit 1; done

check: lint types test ## lint, types and tests

package: $(VENV)/.installed-dev ## build dist/, check it, and use its wheel in a fresh environment
	rm -rf dist
	$(RUN) -m build
	$(RUN) -m twine check --strict dist/*
	$(RUN) -m check_wheel_contents dist/*.whl
	$(RUN) tests/elsewhere.py dist/*.whl

bench: $(VENV)/.installed-dev ## measure what encoding costs
	$(RUN) benchmarks/encode.py

exactness: $(VENV)/.installed-dev ## measure the errors of the cochlea against an independent evaluation
	$(RUN) benchmarks/exactness.py

physiology: $(VENV)/.installed-dev ## measure the cochlea as a physiologist does, and draw the figures
	$(RUN) benchmarks/physiology.py --out docs/images

compat: $(VENV)/.installed-dev $(PEERS)/.installed ## show that other packages read our files, and we theirs
	$(RUN) benchmarks/compat.py --python $(PEERS)/bin/python

docs: $(VENV)/.installed-docs ## build the site in docs/_build/html, offline: every example and the notebook are run
	$(RUN) -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html
	$(RUN) docs/check_site.py docs/_build/html

clean: ## remove what make has made, the virtual environment and demo/ included
	rm -rf $(VENV) $(PEERS) $(OLDEST) demo build dist docs/_build docs/gallery docs/reference/api docs/reference/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp stands for a finished installation; it is written last, so an interrupted one is done again.
$(VENV)/.installed-demo: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing spikedata-audio with PyTorch and Matplotlib into $(VENV) (about a minute, more on a slow line)"
	@$(INSTALL) '.[torch,plot]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing spikedata-audio and the developers' tools into $(VENV) (about a minute, more on a slow line)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(INSTALL) '.[torch,plot,synth,cluster,formats,microphone,export]' --group dev
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed-dev
	@echo "Installing what builds the site into $(VENV)"
	@$(INSTALL) . --group docs
	@touch $@

# PyTorch decides the size: some 2 GB with a CPU build, more with CUDA.
$(PEERS)/.installed: $(VENV)/.created benchmarks/compat.txt
	@echo "Installing the packages that read such files into $(PEERS) (minutes)"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/compat.txt
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(PEERS)/older tonic==1.6.0 pbr==7.1.3 spikingjelly==0.0.0.0.14
	@touch $@

# Without a build for the processor alone, this PyTorch brings the libraries of CUDA: some 5 GB.
$(OLDEST)/.installed: tests/oldest.py pyproject.toml
	@$(OLDEST_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
		{ echo "error: $(OLDEST_PYTHON) is not Python 3.11, the oldest; name it: make OLDEST_PYTHON=PATH test-oldest" >&2; exit 1; }
	@echo "Installing the oldest releases that pyproject.toml permits into $(OLDEST) (minutes)"
	@$(OLDEST_PYTHON) -m venv --clear $(OLDEST)
	@$(OLDEST_PYTHON) tests/oldest.py pyproject.toml > $(OLDEST)/requirements.txt
	@$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary --requirement $(OLDEST)/requirements.txt
	@$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "error: $(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@
