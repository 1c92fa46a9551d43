#!/bin/sh
# Prints the path of the newest Python from 3.12 to 3.14 that really runs and can make a virtual environment.
# Each candidate is asked: a version manager's shim may stand in PATH and answer nothing.
# (The locked wheels exist up to 3.14.)
question='import sys, ensurepip, venv
v = sys.version_info
assert (3, 12) <= v[:2] <= (3, 14) and v.releaselevel == "final"
print("%d.%d.%03d" % v[:3], sys.executable)'

candidates() {
    for version in 3.14 3.13 3.12; do
        command -v "python$version"
        ls -d /usr/bin/python$version /usr/local/bin/python$version "$HOME"/.local/bin/python$version 2>/dev/null
    done
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python 2>/dev/null
    ls -d "$HOME"/.local/share/uv/python/*/bin/python3 2>/dev/null
    command -v python3
}

newest=$(candidates | sort -u | while read -r python; do
    "$python" -c "$question" 2>/dev/null </dev/null
done | sort -t. -k1,1n -k2,2n -k3,3n | tail -n 1)

if [ -z "$newest" ]; then
    echo "Recoup needs Python 3.12, 3.13 or 3.14 with its venv module. Install one (Debian, Ubuntu: apt-get" >&2
    echo "install python3 python3-venv), or name it: make PYTHON=/path/to/python3.13" >&2
    exit 1
fi
echo "${newest#* }"
