#!/usr/bin/env bash
# Make one virtual environment per peer: benchmarks/peers/install.sh FOLDER [PEER...]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${1:?usage: install.sh FOLDER [PEER...]}
shift
peers=("$@")
if [ ${#peers[@]} -eq 0 ]; then
    peers=(handwritten txtai langchain llamaindex haystack)
fi

for peer in "${peers[@]}"; do
    echo "== $peer"
    "${PYTHON:-python3}" -m venv "$target/$peer"
    "$target/$peer/bin/python" -m pip install --quiet --requirement "$here/requirements/$peer.txt"
done
