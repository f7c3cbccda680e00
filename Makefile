# Two commands: `make run` serves (PORT=8188), `make test` runs everything that guards main; `make draw` draws a picture.
# Both set up .venv from constraints.txt first; later calls reuse it. PIP_ARGS goes to pip, ARGS to the command.

# The first interpreter that is new enough; PYTHON=… chooses another.
PYTHON ?= $(firstword $(foreach each,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(each) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(each))))
VENV := .venv
PORT ?= 8188
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS)

# Node.js builds the editor; where there is none, or an old one, PyPI has one in a wheel.
NODE_WHEEL = $(shell $(PYTHON) web/build.py needs)
NPM := $(BIN)/python web/build.py npm

.PHONY: run draw test quick bench clean

run: $(VENV)/run.stamp
	@$(BIN)/python web/build.py || echo "Serving without the editor, or with an older one." >&2
	@exec $(BIN)/python main.py serve --port $(PORT) $(ARGS)

draw: $(VENV)/run.stamp
	@$(BIN)/python main.py run workflows/text_to_image.json $(ARGS)

test: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NPM) run --silent check
	$(BIN)/python web/build.py
	$(if $(findstring not slow,$(ARGS)),,$(BIN)/python tests/clients/install.py)
	$(BIN)/python -m pytest $(ARGS)
	$(if $(findstring not slow,$(ARGS)),,$(NPM) run --silent test:browser)
	$(if $(findstring not slow,$(ARGS)),,$(NPM) run --silent test:frontends)

quick: ARGS = -m "not slow"
quick: test

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.sampling
	$(BIN)/python -m benchmarks.server
	$(BIN)/python web/build.py
	$(BIN)/python -m benchmarks.editor
	$(NPM) run --silent bench

clean:
	rm -rf $(VENV) .clients build *.egg-info web/node_modules server/editor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Latentwire needs Python 3.11 or newer; none was found. Name one with: make run PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (once; a minute or two)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/run.stamp: pyproject.toml constraints.txt web/build_backend.py | $(VENV)/bin/python
	@$(PIP) --editable . $(NODE_WHEEL)
	@touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt web/build_backend.py | $(VENV)/bin/python
	@$(PIP) --editable '.[dev]' $(NODE_WHEEL)
	@touch $@ $(VENV)/run.stamp
