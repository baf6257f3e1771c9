#!/usr/bin/env bash
# What is too slow for every commit: the slow tests and every benchmark, one after the other.
# Results go to .ulm/nightly, one text file each; the last line of a benchmark's file is its JSON. The exit status
# is 1 where a benchmark failed or broke a promise, such as equal tables; speed and quality are goals, and are told.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
mkdir -p .ulm/nightly
status=0 failed=0
echo "nightly: slow tests"
.venv/bin/python -m pytest -m slow || status=$?
# Nothing to run is no failure: pytest says so with 5.
((status == 0 || status == 5)) || exit "$status"
# The other files are parts of these. sequence_quality trains for days and goes on where it was: it has its own command.
for file in $(grep -lE '^from benchmarks.form import .*\b(main|show)\b' benchmarks/*.py); do
  name=$(basename "$file" .py)
  [[ $name == sequence_quality ]] && continue
  echo "nightly: benchmark $name"
  if ! .venv/bin/python -m "benchmarks.$name" | tee ".ulm/nightly/$name.txt"; then
    echo "nightly: benchmark $name failed" >&2
    failed=1
  fi
done
exit "$failed"
