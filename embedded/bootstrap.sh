#!/bin/sh
# Makes .venv with exactly what a requirements file pins; does nothing when that is there already.
#   sh embedded/bootstrap.sh [requirements-embedded.txt]
set -eu
cd "$(dirname "$0")/.."

requirements=${1:-requirements-embedded.txt}
superset="requirements-dev.txt"
virtualenv="virtualenv|distlib|filelock|packaging|platformdirs|python-discovery" # and what it requires

fail() {
    echo "bootstrap: $*" >&2
    exit 1
}

stamp_of() {
    echo ".venv/.installed-$1"
}

is_installed() { # the file's hash was written down after it had been installed
    [ -x .venv/bin/python ] && [ -f "$(stamp_of "$1")" ] && sha256sum --check --status "$(stamp_of "$1")"
}

if is_installed "$requirements" || is_installed "$superset"; then
    exit 0
fi

python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
[ -n "$python" ] || fail "Python 3.11 is needed, and no python3 is on PATH"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
    fail "Python 3.11 is needed, $python is $("$python" -V 2>&1); name another by PYTHON=/path/to/python3.11"

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "making .venv with $python"
    if ! "$python" -m venv --clear .venv >/dev/null 2>&1; then # Debian without python3-venv
        mkdir -p .tools
        awk "/^[a-z]/ { wanted = /^($virtualenv)==/ } wanted" "$superset" >.tools/requirements.txt
        "$python" -m pip install --quiet --disable-pip-version-check --upgrade --target .tools \
            --require-hashes --only-binary :all: --requirement .tools/requirements.txt ||
            fail "neither venv nor pip works with $python: install python3-venv or python3-pip"
        PYTHONPATH=.tools "$python" -m virtualenv --quiet --clear .venv
    fi
fi

echo "installing $requirements"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement "$requirements"
sha256sum "$requirements" >"$(stamp_of "$requirements")"
