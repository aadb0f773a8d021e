#!/usr/bin/env bash
# What the locked environments cannot bring themselves: a suitable Python with venv, and the one system library that
# vLLM's CPU build links to. As root on Debian or Ubuntu the packages are installed, else the command is shown.
set -euo pipefail
python=$1

command -v "$python" >/dev/null || {
	echo "error: there is no $python here; install Python 3.11 to 3.14, or name it: make PYTHON=python3.12 ..." >&2
	exit 2
}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || {
	echo "error: $python is $("$python" --version 2>&1); Python 3.11 to 3.14 is needed: make PYTHON=python3.12 ..." >&2
	exit 2
}
missing=()
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
"$python" -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null || missing+=(libnuma1)
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "Installing the system packages ${missing[*]}"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
	echo "error: system packages are missing; run: sudo apt install ${missing[*]}" >&2
	exit 2
fi
