# make leaderboard   set up .venv, run the quick suite offline, print the leaderboard, draw the pictures
# make readme        the same, then put its leaderboard and a picture into README.md
# make test          set up .venv, run the fast tests
# make test-slow     the tests marked slow
# make lint          ruff and mypy
# make clean         remove .venv and results

PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
RESULTS ?= results
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: leaderboard readme test test-slow lint clean
.DELETE_ON_ERROR:

leaderboard: .venv/report.stamp
	$(BIN)/tomobench run quick --jobs $(JOBS) --out $(RESULTS)
	$(BIN)/tomobench leaderboard $(RESULTS) --format md -o $(RESULTS)/leaderboard.md
	$(BIN)/tomobench leaderboard $(RESULTS) --format csv -o $(RESULTS)/leaderboard.csv
	$(BIN)/tomobench pictures $(RESULTS)
	$(BIN)/tomobench leaderboard $(RESULTS)

readme: leaderboard
	$(BIN)/python docs/refresh_readme.py $(RESULTS)

test: .venv/test.stamp
	$(BIN)/python -m pytest -n $(JOBS)

test-slow: .venv/test.stamp
	$(BIN)/python -m pytest -m slow

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/run_mypy.py

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "tomobench needs Python 3.11 or newer as '$(PYTHON)': apt-get install python3, or make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "tomobench needs Python's venv module: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/report.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(PIP) -e '.[report]'
	@touch $@

.venv/test.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(PIP) -e '.[report,test]'
	@touch $@

clean:
	rm -rf .venv $(RESULTS) tomobench.egg-info
