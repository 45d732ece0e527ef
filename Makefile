# make demo    data, model, evaluation and figures in one go
# make test    the whole test suite
# make lint    style of the code
# make typecheck
# make wheel   sdist and wheel in dist/
# make clean   remove what was built; `make distclean` also removes the environment
#
# Everything runs in .venv, made on first use. Another interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := tests/constraints.txt
PIP_INSTALL = $(BIN)/pip install --disable-pip-version-check -c $(CONSTRAINTS)

# more words for the programs: make test PYTEST_FLAGS="-k symmetry", make demo DEMO_FLAGS=--quick
DEMO_FLAGS ?=
PYTEST_FLAGS ?=
# processes that share the tests, a file each at a time; 0 runs all of them in one, as a debugger needs it
PYTEST_WORKERS ?= 2

.DELETE_ON_ERROR:
.PHONY: help demo test lint typecheck wheel clean distclean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

# an environment holds absolute paths, so a moved checkout gets a new one
HERE := $(VENV)/here-$(shell pwd | cksum | tr ' ' '-')

$(HERE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pdenca needs Python 3.11 or newer, " \
	  + "$(PYTHON) is " + sys.version.split()[0] + "; usual cure: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(if $(wildcard $(VENV)/here-*),--clear) $(VENV)
	@touch $@

# The constraint goes in with -c, never by the environment: there it would reach the build environments too.
$(VENV)/installed: $(HERE) pyproject.toml $(CONSTRAINTS)
	$(PIP_INSTALL) -e .
	@touch $@

# the-well pins an old fsspec, which is why it comes without its dependencies; of those that are
# not ours already its loader needs einops (and fsspec, which torch brings). neuraloperator asks for wandb, which
# nothing here imports; it needs the other four
$(VENV)/installed-test: $(VENV)/installed
	$(PIP_INSTALL) -e '.[test]' einops tensorly tensorly-torch opt-einsum requests
	$(PIP_INSTALL) --no-deps the-well neuraloperator
	@touch $@

demo: $(VENV)/installed
	$(BIN)/pdenca demo $(DEMO_FLAGS)

test: $(VENV)/installed-test
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_FLAGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# type checkers cannot see the mapping of the folders into one package, so they get a tree that has it
typecheck: $(VENV)/installed-test
	@rm -rf build/typecheck && mkdir -p build/typecheck/pdenca
	@ln -s $(CURDIR)/pdenca/* $(CURDIR)/solvers $(CURDIR)/datasets $(CURDIR)/symmetry build/typecheck/pdenca/
	$(BIN)/mypy

# by way of the sdist, so that the wheel holds only what the sdist holds; -P because ./build is no module
wheel: $(VENV)/installed-test
	@rm -rf dist
	$(BIN)/python -P -m build --outdir dist

clean:
	rm -rf build dist pdenca.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pdenca solvers datasets symmetry tests -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
