# images set it; of some hundred processes that the tests start each would compile everything anew
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN = .venv/bin
CODE = accounting jobs receipts

# As in production, so that what is wrong there shows here; each secret is made anew.
A_SECRET = $(shell od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
PRODUCTION = env SECRET_KEY=$(A_SECRET) N8N_API_KEY=$(A_SECRET) CALLBACK_SECRET_TOKEN=$(A_SECRET) AUDIT_KEY=$(A_SECRET) \
	DEBUG=false PUBLIC_BASE_URL=https://receipts.example.com TRUSTED_PROXIES=10.0.0.5 DATABASE_URL=sqlite://:memory: \
	N8N_WEBHOOK_URL=https://n8n.example.com/webhook/receipts

QUICK = not faults and not browser and not deploy and not n8n

SEED ?= 1
DURATION ?= 20
DATABASE ?= sqlite
JOBS ?= 1000000

.PHONY: help demo test test-faults test-browser test-deploy n8n test-n8n screenshots chaos bench lint types check clean

help: ## list what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.installed ## run everything here and send a receipt through it (PORT=8000, ONCE=1 to end after that)
	@$(BIN)/python -m accounting.demo

test: .venv/.installed ## run the quick tests on SQLite, and on PostgreSQL those that see a database
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "$(QUICK)"
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "database and $(QUICK)" --database=postgresql

test-faults: .venv/.installed ## run the slow tests, which cause faults for real, on both databases
	$(BIN)/python -m pytest -n 2 -m faults
	$(BIN)/python -m pytest -n 2 -m "database and faults" --database=postgresql

test-browser: .venv/.installed ## run the tests that drive a real Chromium (apt install chromium, or CHROMIUM=/path/of/it)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m browser tests/browser

test-deploy: .venv/.installed ## ask Caddy, Prometheus and systemd what they think of deploy/, and run it (apt install caddy prometheus shellcheck)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m deploy tests/deploy

n8n: .venv/.installed ## install N8N, once and outside the clone: 5 minutes, 3 GB (N8N_FOLDER=where)
	@$(BIN)/python -m tests.n8n.installing

test-n8n: n8n ## run the tests that drive a real N8N, with the workflows of n8n/
	$(BIN)/python -m pytest -m n8n tests/n8n

screenshots: .venv/.installed ## draw the pictures in docs/images anew, from an installation with made-up data
	$(BIN)/python -m tests.browser.screenshots

chaos: .venv/.installed ## strike a whole installation with random faults (SEED=1 DURATION=20 DATABASE=sqlite or postgresql)
	$(BIN)/python -m tests.chaos --seed $(SEED) --duration $(DURATION) --database $(DATABASE)

bench: .venv/.installed benchmarks/.venv/.installed benchmarks/.venv-ours/.installed ## measure all that docs/performance.md tells, beside a plain service (JOBS=1000000)
	@failed=0; for one in "compared --database sqlite" "compared --database postgresql" floor looking idle delivery \
		"pages --jobs $(JOBS)" "growth --jobs $(JOBS)"; do $(BIN)/python -m benchmarks.$$one || failed=1; done; exit $$failed

lint: .venv/.installed ## look for mistakes, for what is dangerous, and for untidy code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive $(CODE)

types: .venv/.installed ## check the types
	@echo "$(BIN)/mypy"
	@$(PRODUCTION) $(BIN)/mypy

check: lint types ## lint, types, missing migrations, and settings as in production
	@echo "manage.py makemigrations --check; manage.py check --deploy"
	@$(PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

clean: ## remove the virtual environment, caches and the demo's data
	rm -rf .venv benchmarks/.venv benchmarks/.venv-ours var/demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: requirements.txt requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || \
		{ echo "Python is missing: install 3.11 or newer (on Debian and Ubuntu: apt install python3 python3-venv)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11: install a newer one, and name it as in: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments: apt install python3-venv"; exit 1; }
	@echo "Installing what it needs into .venv, once; that takes a minute ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

benchmarks/.venv/.installed: benchmarks/requirements.txt
benchmarks/.venv-ours/.installed: requirements.txt
benchmarks/.venv/.installed benchmarks/.venv-ours/.installed:
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --requirement $<
	@touch $@
