#!/bin/sh
# Make sure that iverilog and vvp, its simulator, can be run. usage: icarus.sh VENV
# Icarus Verilog is in no Python package. Where it is not installed, Debian's package is unpacked into VENV, nothing
# is installed into the system; elsewhere one line says what to do.
set -eu
venv=$1
if [ -x "$venv/bin/vvp" ] || { command -v iverilog && command -v vvp; } >/dev/null 2>&1; then exit 0; fi

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
home=$(cd "$venv/icarus" && pwd -P)
base=$(dirname "$(find "$home/usr/lib" -name ivl -type f)")
wrap() {
    printf '#!/bin/sh\nexec "%s/usr/bin/%s" %s"%s" "$@"\n' "$home" "$1" "$2" "$base" >"$venv/bin/$1"
    chmod +x "$venv/bin/$1"
}
wrap iverilog -B
wrap vvp -M
if missing=$(ldd "$home/usr/bin/vvp" | grep 'not found'); then
    rm "$venv/bin/vvp"
    echo "error: vvp (Icarus Verilog) lacks libraries:" $missing "; install your system's package iverilog" >&2
    exit 1
fi
