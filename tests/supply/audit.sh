#!/usr/bin/env bash
# What is installed with qa: known vulnerabilities (pip-audit asks a database on the network) and licences.
#
#     tests/supply/audit.sh [VENV]
#
# Fails where a vulnerability is known, or a licence is not among those in licences.txt. The two
# tools go into an environment of their own. (atheris, for tests only, names no licence in its
# metadata; it is Apache-2.0.)
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${1:+$1/bin/}python
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet "pip-audit>=2.7,<3" "pip-licenses>=5,<6"

echo "== licences"
"$tools/bin/pip-licenses" --python "$(command -v "$python")" --from=mixed --format=plain \
    --ignore-packages atheris --partial-match --allow-only="$(paste -sd ';' tests/supply/licences.txt)"

echo "== vulnerabilities"
"$python" -m pip list --format=freeze --exclude retrieval-qa --exclude torch >"$tools/installed.txt"
"$tools/bin/pip-audit" --strict --no-deps --disable-pip --requirement "$tools/installed.txt"
