# `make setup` once, then any of the others; each sets up first what is missing.

PYTHON_IN_VENV := .venv/bin/python
PIP_TOOLS := 7.6.2

.PHONY: help setup demo demo-bridge cases test coverage lint types certify clients bench torture soak attacks fuzz dictionary lock clean bench-api bench-bridge bench-fairness fuzz-api

help:
	@echo "make setup       create .venv with everything in it (compiles QuickFIX once, a few minutes)"
	@echo "make demo        show the gateway at work"
	@echo "make demo-bridge show one FIX client in front of three venues that speak REST and WebSocket"
	@echo "make test        run the tests"
	@echo "make coverage    run the tests and show which lines and branches they miss"
	@echo "make lint        check style and format"
	@echo "make types       check types"
	@echo "make cases       play the numbered venue cases on every adapter, with faults between two gateways"
	@echo "make certify     play the certification kit's catalogue against a gateway, and against a wrong one for each scenario"
	@echo "make clients     have clients that others wrote use the API (fetches them once)"
	@echo "make bench       measure speed against a bare QuickFIX acceptor"
	@echo "make bench-api   measure the API's speed against a bare FastAPI app, and FIX beside it"
	@echo "make bench-fairness  measure what one session's flood costs another"
	@echo "make bench-bridge one mass cancel on each kind of venue, beside a bare client of its dialect"
	@echo "make torture     kill the gateway 50 times and check that nothing is lost or doubled"
	@echo "make soak        ten minutes of load with a restart every 20 seconds"
	@echo "make attacks     attack the FIX port in every way we know, and see who notices"
	@echo "make fuzz        a million wrong messages"
	@echo "make fuzz-api    a hundred thousand wrong requests of the API"
	@echo "make dictionary  write spec/FIX44.xml anew"
	@echo "make lock        write the requirements locks anew (UPGRADE=--upgrade for newer versions)"
	@echo "make clean       remove what builds and checks left behind; .venv stays"

setup:
	@scripts/setup.sh

demo: setup
	@$(PYTHON_IN_VENV) scripts/demo.py

demo-bridge: setup
	@$(PYTHON_IN_VENV) scripts/demo_bridge.py

test: setup
	$(PYTHON_IN_VENV) -m pytest

coverage: setup
	$(PYTHON_IN_VENV) -m pytest --cov --cov-branch --cov-report=term-missing

lint: setup
	$(PYTHON_IN_VENV) -m ruff check
	$(PYTHON_IN_VENV) -m ruff format --check

types: setup
	$(PYTHON_IN_VENV) -m mypy

cases: setup
	$(PYTHON_IN_VENV) -m pytest -m bridge tests/venues
	$(PYTHON_IN_VENV) -m pytest tests/venue_cases

certify: setup
	@$(PYTHON_IN_VENV) scripts/certify.py
	@$(PYTHON_IN_VENV) scripts/faults.py
	$(PYTHON_IN_VENV) -m pytest -m certify tests/certify tests/send tests/test_certify.py

clients: setup
	@scripts/clients.sh

bench: setup
	@$(PYTHON_IN_VENV) scripts/bench/bench.py

bench-api: setup
	@$(PYTHON_IN_VENV) scripts/bench/api.py

bench-fairness: setup
	@$(PYTHON_IN_VENV) scripts/bench/fairness.py

bench-bridge: setup
	@$(PYTHON_IN_VENV) scripts/bench/bridge.py

torture: setup
	$(PYTHON_IN_VENV) -m pytest -m long tests
	@$(PYTHON_IN_VENV) scripts/torture.py

soak: setup
	@$(PYTHON_IN_VENV) scripts/soak.py

attacks: setup
	@$(PYTHON_IN_VENV) scripts/attacks.py

fuzz: setup
	@$(PYTHON_IN_VENV) scripts/fuzz.py

fuzz-api: setup
	@$(PYTHON_IN_VENV) scripts/fuzz_api.py

dictionary: setup
	$(PYTHON_IN_VENV) scripts/generate_dictionary.py

# Of what ccxt names, its synchronous client imports none of these.
CCXT_ASYNC := aiohappyeyeballs aiohttp aiohttp-fast-zlib aiosignal attrs coincurve frozenlist multidict orjson \
    propcache uvloop yarl zlib-ng

# The user's own pip settings are left out, so that a lock says what PyPI says.
PIP_COMPILE = env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null \
    build/lock/bin/pip-compile --quiet --no-config $(UPGRADE) --generate-hashes --strip-extras --no-allow-unsafe \
    --no-header --no-annotate --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# Everything but quickfix, which requirements-quickfix.lock holds because it is compiled apart. The build backends
# (setuptools for quickfix; hatchling and editables for this project) are locked with the rest. Then the clients of
# `make clients`.
lock:
	python3 -m venv build/lock
	build/lock/bin/python -m pip install --quiet pip-tools==$(PIP_TOOLS)
	cp requirements.lock requirements-clients.lock build/lock
	printf '%s\n' editables hatchling setuptools | $(PIP_COMPILE) --extra dev --unsafe-package quickfix \
	    --output-file build/lock/requirements.lock - pyproject.toml
	{ echo "# Written by 'make lock' (pip-compile; see the Makefile) for Python 3.11 to 3.13. Without quickfix, which"; \
	  echo "# scripts/setup.sh builds from source as requirements-quickfix.lock says."; \
	  sed '/^$$/d; /^#/d' build/lock/requirements.lock; } > build/lock/new
	mv build/lock/new requirements.lock
	$(PIP_COMPILE) $(addprefix --unsafe-package ,$(CCXT_ASYNC)) \
	    --output-file build/lock/requirements-clients.lock requirements-clients.in
	{ echo "# Written by 'make lock' (pip-compile; see the Makefile) for Python 3.11 to 3.13."; \
	  sed '/^$$/d; /^#/d' build/lock/requirements-clients.lock; } > build/lock/new
	mv build/lock/new requirements-clients.lock

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
