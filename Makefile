# The few commands people use; the README has the first two as one line each.
.PHONY: demo test check wheel

demo:
	python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/lexifuse demo

test:
	python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[dev]' && .venv/bin/pytest

check:
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/pyright

wheel:
	.venv/bin/python -m build --wheel
