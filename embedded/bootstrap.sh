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

[ -w . ] || fail "$PWD cannot be written to, and .venv and .run are made in it: clone it into a folder of your own"

python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
[ -n "$python" ] || fail "Python 3.11 is needed, and no python3 is on PATH"
version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) ||
    fail "Python 3.11 is needed, and $python is no Python that runs; name another by PYTHON=/path/to/python3.11"
case $version in
3.11.*) ;;
*) fail "Python 3.11 is needed, $python is Python $version; name another by PYTHON=/path/to/python3.11" ;;
esac

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

packages=$(grep -c '^[a-z0-9].*==' "$requirements" || true)
progress() { # shows what pip does on one line of a terminal, and returns pip's exit code, which comes last
    count=0
    while read -r word rest; do
        case $word in
        Collecting | Processing) count=$((count + 1)) name=${rest%% *} name=${name##*/} step=$name ;;
        Downloading | Using) step="$name (${rest##*(}" ;;
        Installing) step="unpacking them into .venv" ;;
        exit) return "$rest" ;;
        *) continue ;;
        esac
        [ ! -t 1 ] || printf '\r\033[K  %s of %s: %s' "$count" "$packages" "$step"
    done
}

case $requirements in
"$superset") size="500 MB on disk" ;;
*) size="50 MB to download, 280 MB on disk" ;;
esac
echo "installing $packages packages of $requirements into .venv, about $size"
code=0
{
    .venv/bin/python -m pip install --no-color --progress-bar off --disable-pip-version-check --no-compile \
        --require-hashes --only-binary :all: --requirement "$requirements" && echo "exit 0" || echo "exit $?"
} | progress || code=$?
[ ! -t 1 ] || printf '\r\033[K'
[ "$code" = 0 ] || fail "pip could not install $requirements; its words are above"
.venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true # on all cores; some packages have files of other Pythons
sha256sum "$requirements" >"$(stamp_of "$requirements")"
echo "installed"
