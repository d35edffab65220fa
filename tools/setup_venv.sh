#!/bin/bash
# Make .venv from the distribution's Python 3.11, installing what Debian has and this machine lacks.
# Usage: tools/setup_venv.sh     PYTHON=/path/to/python3.11 overrides the search.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.installed

# What is needed, by the package that brings it: "package probe...", where the probe is a command that succeeds once it is there.
needs=(
    "binutils objdump --version"
    "ca-certificates test -s /etc/ssl/certs/ca-certificates.crt"
    "conntrack conntrack -V"
    "iproute2 ip -V"
    "iptables iptables -V"
    "iputils-ping ping -V"
    "man-db man --version"
    "nftables nft -v"
    "openssl openssl version"
    "strace strace -V"
)
python_packages=(python3.11 python3.11-venv libpython3.11)

say() { printf 'setup: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Is $1 a Python 3.11 that can make virtual environments and be frozen (PyInstaller needs the shared libpython)?
usable() {
    "$1" -I - <<'EOF' >/dev/null 2>&1
import ctypes, ensurepip, sys, sysconfig, venv
assert sys.version_info[:2] == (3, 11)
ctypes.CDLL(sysconfig.get_config_var("INSTSONAME"))
EOF
}

# Print the interpreter to use. Only full paths: a version manager's shim on PATH is a shell script, and slow builds hide behind it.
find_python() {
    local candidate
    for candidate in ${PYTHON:-/usr/bin/python3.11 /usr/local/bin/python3.11}; do
        if usable "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

missing_packages() {
    local need
    for need in "${needs[@]}"; do
        ${need#* } >/dev/null 2>&1 || printf '%s\n' "${need%% *}"
    done
    find_python >/dev/null || [ -n "${PYTHON:-}" ] || printf '%s\n' "${python_packages[@]}"
}

install_missing() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "install these first (named as in Debian 12): ${missing[*]}"
    [ "$(id -u)" = 0 ] || die "run as root: apt-get install ${missing[*]}"
    say "apt-get install ${missing[*]}"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null ||
        die "apt could not install: ${missing[*]} (this project needs Python 3.11, which Debian 12 has)"
}

make_venv() {
    local python
    python=$(find_python) || die "no usable Python 3.11${PYTHON:+ at $PYTHON}: it needs venv, ensurepip and the shared libpython3.11"
    say "$python -> .venv"
    # Complete before but out of date: update in place. Anything else (cut short, no venv at all): from scratch.
    [ -e $stamp ] || "$python" -m venv --clear .venv
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input \
        --require-hashes --only-binary :all: --requirement requirements.txt
    cp requirements.txt $stamp
}

mkdir -p .cache
exec 9>.cache/setup.lock # two makes at once: the second waits, and then finds it done
flock 9
install_missing
if cmp -s requirements.txt $stamp; then
    touch $stamp
else
    make_venv
fi
