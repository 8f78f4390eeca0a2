#!/bin/bash
# Installs what a purpose needs on Debian 12 or newer and does nothing when all of it is there.
#
#   tools/deps.sh [run|build|test|demo ...]      default: build run
#
# Needs root only when something is missing.
set -euo pipefail

declare -A packages=(
    [run]="crun ca-certificates"
    [build]="gcc libc6-dev meson ninja-build pkgconf libtalloc-dev uthash-dev libyaml-dev libjansson-dev
        libsqlite3-dev libmnl-dev libnftables-dev libssl-dev libcurl4-openssl-dev libarchive-dev libzstd-dev
        libisal-dev libldns-dev libseccomp-dev"
    [images]="mmdebstrap docker-registry busybox-static python3 curl zstd util-linux iproute2"
    [test]="bats libcmocka-dev clang clang-format-14 jq nftables procps socat strace nodejs qemu-system-x86
        e2fsprogs kmod"
)
# What each purpose asks for, in terms of the lists above.
declare -A purposes=([run]="run" [build]="build" [demo]="run build images" [test]="run build images test")

is_installed()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Debian starts a service as it is installed (docker-registry has one); nobody asked for it here.
with_services_held()
{
    local policy=/usr/sbin/policy-rc.d status=0
    [ -e $policy ] && { "$@"; return; }
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    "$@" || status=$?
    rm -f $policy
    return $status
}

install_packages()
{
    export DEBIAN_FRONTEND=noninteractive
    local options=(-y -q --no-install-recommends -o Dpkg::Use-Pty=0)
    with_services_held apt-get install "${options[@]}" "$@" </dev/null && return 0
    echo "deps: refreshing the package lists"
    apt-get update -q </dev/null
    with_services_held apt-get install "${options[@]}" "$@" </dev/null
}

main()
{
    command -v dpkg-query >/dev/null || { echo "deps: not a Debian system; install what $0 lists" >&2; exit 1; }
    [ $# -gt 0 ] || set -- build run
    local wanted="" missing="" purpose list package
    for purpose in "$@"; do
        [ -n "${purposes[$purpose]:-}" ] || { echo "deps: no purpose '$purpose'; there are: ${!purposes[*]}" >&2; exit 2; }
        for list in ${purposes[$purpose]}; do
            wanted+=" ${packages[$list]}"
        done
    done
    for package in $(tr -s ' \n' '\n' <<<"$wanted" | sort -u); do
        is_installed "$package" || missing+=" $package"
    done
    [ -n "$missing" ] || exit 0
    echo "deps: installing$missing"
    [ "$(id -u)" = 0 ] || { echo "deps: needs root, for example: sudo apt-get install$missing" >&2; exit 1; }
    # shellcheck disable=SC2086  # a list of words
    install_packages $missing
}

main "$@"
