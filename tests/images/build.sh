#!/bin/bash
# Makes sure that the test images are in the cache, and prints the storage directory for tools/registry.sh.
#
#   tests/images/build.sh [NAME...]      default: all but the large ones that no test uses
#
# They are built once for each state of the recipes, in ${COMPOTE_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/compote-test};
# an image is built again when something in its folder or the builder itself changes. Needs root (chroot, overlay).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../../tools
cache=${COMPOTE_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/compote-test}
[ $# -gt 0 ] || set -- busybox layers nginx node redis mariadb wordpress

key_of()
{
    (cd "$here" && find build.py "$1" -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -d' ' -f1
}

missing_of()
{
    local name
    for name in "$@"; do
        [ "$(cat "$cache/built/$name" 2>/dev/null)" = "$(key_of "$name")" ] || echo "$name"
    done
}

main()
{
    mkdir -p "$cache/built"
    exec 9>"$cache/lock"
    flock 9
    local missing run name host
    missing=$(missing_of "$@")
    if [ -n "$missing" ]; then
        [ "$(id -u)" = 0 ] || { echo "images: building needs root" >&2; exit 1; }
        rm -rf "$cache"/build.*
        run=$(mktemp -d /tmp/compote-registry.XXXXXX)
        # shellcheck disable=SC2064  # the directory of now
        trap "'$tools/registry.sh' stop '$run'" EXIT
        host=$("$tools/registry.sh" start "$run" "$cache/registry" 9>&-)
        # It prints each name as that image is in the registry, so that a failure costs only what comes after.
        # shellcheck disable=SC2086  # names
        nice -n 5 python3 "$here/build.py" "$cache" "$host" $missing 9>&- | while read -r name; do
            key_of "$name" >"$cache/built/$name"
        done
    fi
    echo "$cache/registry"
}

main "$@"
