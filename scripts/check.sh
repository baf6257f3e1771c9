#!/usr/bin/env bash
# Everything that can be said of the code without running it: style, types, imports, left-over paths.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# No file names a path of the machine it was written on, or the host of a package registry.
guard_names() {
  local found
  found=$(git grep -nIE --untracked --exclude-standard \
    -e '(^|[^[:alnum:]_.~-])/(roo[t]|wor[k]|hom[e]/[a-z][^/ ]*|User[s]/[^/ ]+)/' \
    -e 'pypi[.]org|files[.]pythonhosted|repo1?[.]maven|registry[.]npmjs|deb[.]debian[.]org' \
    -e '--(index-url|extra-index-url|find-links)[ =]' -- . || true)
  [[ -z $found ]] && return
  printf 'check: these lines name a path of a machine or a registry host; a file of the project must not:\n%s\n' "$found" >&2
  return 1
}

scripts/setup.sh
echo 'check: ruff'
.venv/bin/ruff check .
.venv/bin/ruff format --check .
echo 'check: mypy'
.venv/bin/mypy
echo 'check: imports'
.venv/bin/lint-imports
echo 'check: names of machines and registries'
guard_names
echo 'check: all is well'
