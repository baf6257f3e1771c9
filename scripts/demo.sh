#!/usr/bin/env bash
# Simulates a small shop, runs every job on it and prints where the report lies.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
.venv/bin/ulm simulate --config conf/demo.yaml
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
.venv/bin/ulm run --config conf/demo.yaml | tee "$log"
report=$(tail -n 1 "$log")
if [[ $report != *.html ]]; then
  echo 'demo: the run named no report; expected the path of an HTML page on its output. See the log above.' >&2
  exit 1
fi
printf 'Report: %s\n' "$report"
