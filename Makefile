# make run    a server on 127.0.0.1:6379, from a fresh clone
# make test   every test, compiled and interpreted
# make bench  side by side with redis-server

COMPILED := .venv
INTERPRETED := .venv-interpreted
SOURCES := pyproject.toml setup.py $(shell find hypercache backends plugins -name '*.py' 2>/dev/null)
PEERS := redis-server redis-tools
NODE := tests/integration/frameworks/node
# Whole files go to one worker each: tests of a file may share a server.
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
# Where bytecode is not kept, each worker of each run compiles all tests anew: 7 s of processor time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test test-compiled test-interpreted environments bench lint format docs soak soak-kill tcl compiler peers clean

run: $(COMPILED)/.ready
	@mkdir -p data
	@test -f data/hypercache.yaml || cp configs/hypercache.yaml data
	$(COMPILED)/bin/hypercache serve data/hypercache.yaml --bind 127.0.0.1 --port 6379 --dir data

$(COMPILED)/.ready: $(SOURCES)
	@.ci/venv $(COMPILED) auto

$(COMPILED)/.tools: pyproject.toml
	@.ci/venv $(COMPILED) tools dev frameworks

$(COMPILED)/.dev: $(COMPILED)/.tools $(COMPILED)/.ready
	@touch $@

$(INTERPRETED)/.ready: $(SOURCES)
	@.ci/venv $(INTERPRETED) interpreted

$(INTERPRETED)/.tools: pyproject.toml
	@.ci/venv $(INTERPRETED) tools dev

$(INTERPRETED)/.dev: $(INTERPRETED)/.tools $(INTERPRETED)/.ready
	@touch $@

$(NODE)/node_modules/.ready: $(NODE)/package-lock.json | $(COMPILED)/.tools
	@.ci/node $(COMPILED) $(NODE)

# One after the other, the downloads and installations would leave processors idle.
environments: compiler peers
	@$(MAKE) --no-print-directory -j 3 \
		$(COMPILED)/.tools $(INTERPRETED)/.tools $(NODE)/node_modules/.ready

compiler:
	@$(or $(PYTHON),python3) .ci/has_compiler.py || .ci/apt gcc libc6-dev python3-dev

peers:
	@.ci/apt $(PEERS)

# Compiling takes minutes, and the interpreted tests wait more than they compute: so both at once.
test: environments
	@$(MAKE) --no-print-directory $(INTERPRETED)/.dev
	@$(MAKE) --no-print-directory -j 2 $(COMPILED)/.dev test-interpreted
	@$(MAKE) --no-print-directory test-compiled

test-compiled: compiler $(COMPILED)/.dev $(NODE)/node_modules/.ready peers
	@echo "== compiled"
	@$(COMPILED)/bin/python -P -c "from hypercache.server import is_compiled; assert is_compiled()"
	$(COMPILED)/bin/pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

test-interpreted: $(INTERPRETED)/.dev peers
	@echo "== interpreted"
	$(INTERPRETED)/bin/pytest -n $(PYTEST_WORKERS) --dist loadfile --second-run $(PYTEST_ARGS)

# HYPERCACHE_SOAK_COMMANDS (ten million) and HYPERCACHE_SOAK_SECONDS (600) say for how long.
soak: $(COMPILED)/.dev peers
	HYPERCACHE_SOAK_SECONDS=$${HYPERCACHE_SOAK_SECONDS:-600} $(COMPILED)/bin/pytest -m soak --timeout 0 -s

# HYPERCACHE_SOAK_ROUNDS (300), from HYPERCACHE_SOAK_SEED.
soak-kill: $(COMPILED)/.dev peers
	$(COMPILED)/bin/pytest tests/fault/test_killed.py -m soak --timeout 0 -s

bench: $(COMPILED)/.dev $(INTERPRETED)/.dev peers
	$(COMPILED)/bin/python -m tests.benchmarks.compare $(BENCH_ARGS)

tcl: $(COMPILED)/.dev
	$(COMPILED)/bin/python tests/tcl/run.py $(TCL_ARGS)

lint: $(INTERPRETED)/.dev
	$(INTERPRETED)/bin/ruff check .
	$(INTERPRETED)/bin/ruff format --check .
	$(INTERPRETED)/bin/mypy

format: $(INTERPRETED)/.dev
	$(INTERPRETED)/bin/ruff check --fix .
	$(INTERPRETED)/bin/ruff format .

docs: $(INTERPRETED)/.dev
	$(INTERPRETED)/bin/python docs/generate.py

clean:
	rm -rf $(COMPILED) $(INTERPRETED) build *.egg-info
