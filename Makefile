# make demo: from a fresh clone to a trained, tracked and measured style encoder, and pictures in four styles.
# make test: install what the tests need and run them.  make check: what CI runs.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

# Large buffers come from the heap and stay there: training on a CPU spends less time in page faults.
export MALLOC_MMAP_MAX_ = 0
export MALLOC_TRIM_THRESHOLD_ = 100000000000

.PHONY: demo test test-all bench check format tables clean

demo: .venv/.installed
	$(BIN)/stylekit train megastyle_encoder_demo
	$(BIN)/stylekit evaluate runs/megastyle_encoder_demo/latest
	$(BIN)/stylekit train megastyle_flux_demo
	$(BIN)/stylekit render atelier_painter "prompt=two fish on a table" "seeds=[47,50,56,59]" out=renders/demo/references
	$(BIN)/stylekit render runs/megastyle_flux_demo/latest "references=renders/demo/references/*.png" \
		"prompt=a cat beside a house" "prompt=three trees in the snow" "prompt=a sailboat on the water" out=renders/demo

test: .venv/.installed-dev
	$(BIN)/pytest

test-all: .venv/.installed-dev
	$(BIN)/pytest -m "not gpu and not bench"

bench: .venv/.installed-dev
	$(BIN)/pytest tests/performance -m bench -q
	$(BIN)/python tests/performance/curation_scale.py 10000 100000
	$(BIN)/python tests/performance/bench_table.py

check: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

format: .venv/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

tables: .venv/.installed-dev
	$(BIN)/python -m stylekit.result README.md methods/*/README.md
	$(BIN)/python tests/performance/bench_table.py
	$(BIN)/python tests/performance/curation_table.py

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "stylekit needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/pip
	$(BIN)/pip install --progress-bar on -c constraints.txt "torch==2.13.0"
	$(BIN)/pip install --progress-bar on -c constraints.txt -e .
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/pip install -q -c constraints.txt -e ".[dev,siglip]"
	@touch $@

clean:
	rm -rf .venv build dist
