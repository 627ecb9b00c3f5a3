#!/bin/sh
# Make sure that iverilog can be run. usage: icarus.sh VENV
# Icarus Verilog is in no Python package. Where it is not installed, Debian's package is unpacked into VENV, nothing
# is installed into the system; elsewhere one line says what to do.
set -eu
venv=$1
if [ -x "$venv/bin/iverilog" ] || command -v iverilog >/dev/null 2>&1; then exit 0; fi

fail() {
    echo "error: iverilog (Icarus Verilog) is needed by the tests and is not on PATH; install your system's package" >&2
    exit 1
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() { (cd "$work" && apt-get download -qq iverilog >/dev/null 2>&1); }
fetch || { apt-get update -qq >/dev/null 2>&1 && fetch; } || fail
rm -rf "$venv/icarus"
dpkg-deb -x "$work"/iverilog_*.deb "$venv/icarus"
home=$(cd "$venv/icarus" && pwd)
base=$(dirname "$(find "$home/usr/lib" -name ivl -type f)")
printf '#!/bin/sh\nexec "%s/usr/bin/iverilog" -B"%s" "$@"\n' "$home" "$base" >"$venv/bin/iverilog"
chmod +x "$venv/bin/iverilog"
