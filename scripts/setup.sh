# Sourced by the other scripts: goes to the repository's root and makes .venv with everything installed, once.
# .venv/rlgan-setup says how far that got: a file without today's sum is an install that was interrupted or is outdated.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "${0##*/}: error: $1" >&2
    exit 1
}

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$python is not Python 3.11 or newer: install one, or name it with PYTHON=..."

sum=$("$python" -c 'import hashlib, sys
print(hashlib.sha256(b"".join(open(name, "rb").read() for name in sys.argv[1:])).hexdigest())' \
    pyproject.toml constraints.txt scripts/setup.sh)

if [ "$(cat .venv/rlgan-setup 2>/dev/null)" != "$sum" ]; then
    [ ! -e .venv ] || [ -e .venv/rlgan-setup ] ||
        fail ".venv is there and was not made by this script: move it away"
    echo "installing into .venv (once; some minutes) ..." >&2
    rm -rf .venv
    mkdir .venv
    echo "not finished" >.venv/rlgan-setup
    "$python" -m venv .venv
    # As a path, not by setuptools' finder, before which Python takes any folder called rlgan in the current directory.
    .venv/bin/python -m pip install --quiet --constraint constraints.txt --config-settings editable_mode=compat \
        --editable '.[dev]'
    # The oldest Gymnasium that is supported, beside the newest: the environment is tested on both.
    .venv/bin/python -m pip install --quiet --no-deps --target .venv/gymnasium-1.2.2 gymnasium==1.2.2
    echo "$sum" >.venv/rlgan-setup
fi
