# Everything starts here: `make app` and `make test` need nothing but Python 3.11 or newer, pip and make.
# The environment in .venv is made when it is missing, when pyproject.toml changed or when PYTHON is another one.

PYTHON ?= python3
VENV := .venv
# Windows keeps a virtual environment's programs in another folder.
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := $(BIN)/python -m
ARGS ?=

APP := $(VENV)/.installed-app-$(notdir $(PYTHON))
NOTEBOOKS := $(VENV)/.installed-notebooks-$(notdir $(PYTHON))
DEV := $(VENV)/.installed-dev-$(notdir $(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help app lab notebooks test test-fast check format tree demo-run screenshots bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -e 's/:[^#]*## /|/' | awk -F'|' '{ printf "  make %-11s %s\n", $$1, $$2 }'

app: $(APP) ## Start the app; make app ARGS="--port 8000" chooses another port
	@$(BIN)/python app.py $(ARGS)

lab: $(NOTEBOOKS) ## Open the notebooks in JupyterLab, which then asks nobody for news
	@$(RUN) jupyter lab notebooks --LabApp.app_settings_dir="$(CURDIR)/notebooks/jupyterlab" $(ARGS)

notebooks: $(NOTEBOOKS) ## Run all notebooks anew and keep what they show
	@$(BIN)/python notebooks/run_all.py $(ARGS)

# Fast tests run in two processes; slow ones, which drive browsers and start processes, have the machine to themselves.
FAST := OMP_NUM_THREADS=1 $(RUN) pytest -m "not slow" -n 2 --dist loadfile $(ARGS)
# 5: the tests that ARGS names are all of the other part.
OR_NONE := $(if $(ARGS),|| test $$? -eq 5)

test: check ## Check the code and run every test
	$(FAST) $(OR_NONE)
	$(RUN) pytest -m slow $(ARGS) $(OR_NONE)

test-fast: check ## The same without the slow tests
	$(FAST)

check: $(DEV) ## Lint, format and types, without changing a file
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

format: $(DEV) ## Put the code into the project's format
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

tree: $(DEV) ## Bring the README's tree up to date
	@$(BIN)/python tests/readme_tree.py

demo-run: $(DEV) ## Train again the small run that comes with the package
	@$(BIN)/python docs/demo_run.py

screenshots: $(DEV) ## Take the README's pictures of the app again
	@$(BIN)/python docs/screenshots.py

bench: $(DEV) ## Run the measurements that the README quotes
	@for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python $$script || exit 1; done

clean: ## Remove .venv and everything that tools left behind
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(APP): EXTRAS :=
$(NOTEBOOKS): EXTRAS := [notebooks]
$(DEV): EXTRAS := [dev]

VERSION := import sys; print(sys.version)
NEW_ENOUGH := import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	"error: this needs Python 3.11 or newer and found " + sys.version.split()[0] + \
	"; name a newer one, as in: make app PYTHON=python3.12")

$(APP) $(NOTEBOOKS) $(DEV): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON) here; install Python 3.11 or newer, or name it as in: make app PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)'
	@$(RUN) pip --version >/dev/null 2>&1 && [ "$$($(BIN)/python -c '$(VERSION)')" = "$$($(PYTHON) -c '$(VERSION)')" ] \
		|| $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV). The first time this fetches PyTorch (several GB with its GPU libraries) and takes minutes."
	@$(RUN) pip install --editable ".$(EXTRAS)"
	@touch $@
