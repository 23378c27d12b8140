#!/bin/sh
# Makes .venv with exactly the pinned requirements; needs only Python 3.11 or later.
# Called by make when a pin has changed. Uses uv where it is there and works, else pip.
set -eu
cd "$(dirname "$0")/.."
venv=.venv

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    echo "doisoat needs Python 3.11 or later, and found none. Set PYTHON=/path/to/python3." >&2
    exit 1
}

if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(find_python)
    echo "making $venv with $("$python" --version)"
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" 2>/dev/null; then
        rm -rf "$venv"
        if ! { command -v uv >/dev/null && uv venv --quiet --python "$python" "$venv"; }; then
            echo "$python cannot make a virtual environment; on Debian install python3-venv." >&2
            exit 1
        fi
    fi
fi

# One list: what is pinned twice is pinned equally, and a hash is wanted for everything.
set -- --require-hashes -r requirements/runtime.txt -r requirements/embedded.txt -r requirements/dev.txt
echo "installing the pinned requirements"
if command -v uv >/dev/null && uv pip install --quiet --python "$venv/bin/python" "$@"; then
    uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
else
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    "$venv/bin/python" -m pip install --quiet "$@"
    "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
fi
touch "$venv/ready"
