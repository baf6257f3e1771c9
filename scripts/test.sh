#!/usr/bin/env bash
# Runs the tests; arguments go to pytest: scripts/test.sh tests/stats -k rank
# The last line is pytest's own closing line, and the exit status is pytest's.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
exec .venv/bin/python -m pytest "$@"
