#!/bin/bash
# Resolve requirements.in into requirements.txt: every transitive package, one exact version, every hash.
# Usage: tools/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.cache/lock
[ -x $tools/bin/pip-compile ] || {
    .venv/bin/python -m venv $tools
    $tools/bin/pip install --quiet pip-tools==7.6.2
}
# The index is whatever this machine's pip is configured for; the lock file names none.
CUSTOM_COMPILE_COMMAND="make lock" $tools/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
    "$@" --output-file requirements.txt requirements.in
