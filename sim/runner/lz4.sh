#!/bin/sh
# Make sure that waveforms can be written as FST, which is packed with lz4. usage: lz4.sh VENV
# Where lz4's header is not installed, Debian's package is unpacked into VENV, nothing is installed into the system;
# where that cannot be done, waveforms are VCD, and whoever writes one says so.
set -eu
venv=$1
if [ -f "$venv/lz4/lz4.h" ] || printf '#include <lz4.h>\n' | c++ -x c++ -E - >/dev/null 2>&1; then exit 0; fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 0

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fetch() { (cd "$folder" && apt-get download -qq liblz4-dev >/dev/null 2>&1); }
fetch || { apt-get update -qq >/dev/null 2>&1 && fetch; } || exit 0
dpkg-deb -x "$folder"/liblz4-dev_*.deb "$folder/unpacked"
mkdir -p "$venv/lz4.new"
cp "$folder"/unpacked/usr/include/lz4*.h "$(find "$folder/unpacked" -name liblz4.a)" "$venv/lz4.new" # static: found at run time, too
rm -rf "$venv/lz4" && mv "$venv/lz4.new" "$venv/lz4"
