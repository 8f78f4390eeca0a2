#!/bin/bash
# Configures a build directory (once, and again when the options change) and builds it.
#
#   tools/build.sh DIRECTORY [meson options]      build-rel is the release build
#
# Without options it stays as it was configured. Afterwards DIRECTORY/libexec holds links to the programs that
# compote starts, so that it runs from the build tree with COMPOTE_LIBEXEC=DIRECTORY/libexec.
set -euo pipefail
cd "$(dirname "$0")/.."
directory=$1
shift

stamp=$directory/.options
if [ ! -f "$directory/build.ninja" ]; then
    rm -rf "$directory"
    meson setup "$directory" -Dbuildtype=debugoptimized "$@" >"/tmp/compote-setup.$$" 2>&1 ||
        { cat "/tmp/compote-setup.$$"; rm -f "/tmp/compote-setup.$$"; exit 1; }
    rm -f "/tmp/compote-setup.$$"
    echo "$*" >"$stamp"
elif [ $# -gt 0 ] && [ "$*" != "$(cat "$stamp" 2>/dev/null)" ]; then
    meson configure "$directory" "$@" >/dev/null
    echo "$*" >"$stamp"
fi
if [ -t 1 ]; then ninja -C "$directory"; else ninja -C "$directory" --quiet; fi

mkdir -p "$directory/libexec"
for program in "$directory"/src/*/compote-*; do
    if [ -f "$program" ] && [ -x "$program" ]; then
        ln -sfn "$(realpath "$program")" "$directory/libexec/${program##*/}"
    fi
done
