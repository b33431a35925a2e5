#!/usr/bin/env bash
# The lower bounds of pyproject.toml are true: installs each dependency at its bound, as far as they
# go together, and runs the tests. Takes minutes, and pip's network.
#
#     tests/supply/lowest.sh [VENV] [pytest arguments]
#
# torch stays at its newest: it is what everything else is built against.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=${1:-$(mktemp -d)/venv}
shift || true
export HF_HUB_OFFLINE=1

python3 -m venv "$venv"
"$venv/bin/python" tests/supply/bounds.py >"$venv/lowest.txt"
cat "$venv/lowest.txt"
"$venv/bin/pip" install --quiet --constraint "$venv/lowest.txt" ".[test]"
"$venv/bin/pip" check
# Against the installed package, not the tree.
"$venv/bin/python" -P -m pytest -n 2 "$@"
