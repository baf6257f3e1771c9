#!/usr/bin/env bash
# Runs the tests; arguments go to pytest: scripts/test.sh tests/stats -k rank
# The last line is pytest's own closing line, and the exit status is pytest's. Files of tests are shared out
# to two processes, each with one Spark session: most tests wait for one core. ULM_TEST_WORKERS=0 runs one.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
exec .venv/bin/python -m pytest --numprocesses "${ULM_TEST_WORKERS:-2}" --dist loadfile --no-loadscope-reorder "$@"
