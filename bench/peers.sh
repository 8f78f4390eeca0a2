#!/bin/bash
# The reference engine for benchmarks and comparisons: Docker Engine with docker compose from Debian forky, in a
# chroot, in its own network and mount namespaces, so that nothing of it is seen or left on the machine.
#
#   bench/peers.sh make               makes the chroot (1 minute, 1 GB) unless it is there; prints its path
#   bench/peers.sh start DIR          starts dockerd, with its state below DIR and the test images as docker.io
#   bench/peers.sh stop DIR           ends it and removes its state
#   bench/peers.sh docker DIR ARG...  runs the docker command against it; likewise compose DIR ARG...
#   bench/peers.sh pids DIR           prints the processes it consists of
#
# COMPOTE_PEER names the chroot; default: peer/forky in the cache of the test images.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${COMPOTE_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/compote-test}
peer=${COMPOTE_PEER:-$cache/peer/forky}
packages=docker-compose,docker.io,docker-cli,podman,podman-compose,crun,runc,iproute2,iptables,nftables,busybox-static,ca-certificates,procps

make_chroot()
{
    if [ ! -x "$peer/usr/sbin/dockerd" ] && [ ! -x "$peer/usr/bin/dockerd" ]; then
        local mirror
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
        mkdir -p "${peer%/*}"
        nice mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
            --include=$packages forky "$peer" "deb ${mirror:?apt has no Debian mirror in its sources} forky main" >&2 </dev/null
    fi
    echo "$peer"
}

# What runs in the new network namespace, and then in a mount namespace whose root is the chroot: a mere chroot would
# not do, because who joins a container's mount namespace (exec, health checks) comes out at that namespace's root.
# shellcheck disable=SC2016
in_network='
set -e
peer=$1 dir=$2 storage=$3 top=$4
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
registry=$("$top/tools/registry.sh" start "$dir/registry" "$storage")
exec unshare --mount --propagation private bash -c "$in_mounts" peer "$peer" "$dir" "$registry"
'
# shellcheck disable=SC2016
export in_mounts='
set -e
peer=$1 dir=$2 registry=$3
mount --bind "$peer" "$peer"
mount -t proc proc "$peer/proc"
mount --rbind /sys "$peer/sys"
mount --rbind /dev "$peer/dev"
mount -t tmpfs tmpfs "$peer/run"
mount -t tmpfs tmpfs "$peer/tmp"
mkdir -p "$peer/run/peer" "$peer/run/old" "$peer/var/lib/docker"
mount --bind "$dir/socket" "$peer/run/peer"
mount --bind "$dir/data" "$peer/var/lib/docker"
cd "$peer"
pivot_root . run/old
umount -l /run/old
exec dockerd -H unix:///run/peer/docker.sock --registry-mirror "http://$registry" --insecure-registry "$registry"
'

start()
{
    local dir=$1 storage pid i
    [ -d "$(make_chroot)" ]
    storage=$("$top/tests/images/build.sh")
    mkdir -p "$dir/socket" "$dir/data"
    # Not ip netns: its exec hides the cgroup mounts.
    setsid unshare --net bash -c "$in_network" peer "$peer" "$dir" "$storage" "$top" >"$dir/log" 2>&1 </dev/null &
    pid=$!
    echo $pid >"$dir/pid"
    for ((i = 0; i < 600; i++)); do
        if docker "$dir" version >/dev/null 2>&1; then
            return 0
        fi
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    echo "peers: dockerd does not start:" >&2
    tail -n 20 "$dir/log" >&2
    return 1
}

# All in its process tree: what is in its network namespace, and the shims that were left to init.
pids()
{
    local dir=$1 wanted process
    wanted=$(readlink "/proc/$(cat "$dir/pid")/ns/mnt") || return 0
    for process in /proc/[0-9]*; do
        if [ "$(readlink "$process/ns/mnt" 2>/dev/null)" = "$wanted" ]; then echo "${process#/proc/}"; fi
    done
}

stop()
{
    local dir=$1 pid process i
    [ -f "$dir/pid" ] || return 0
    pid=$(cat "$dir/pid")
    local all
    mapfile -t all < <(pids "$dir")
    kill "$pid" 2>/dev/null || true
    for ((i = 0; i < 300; i++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    for process in "${all[@]}"; do
        kill -9 "$process" 2>/dev/null || true
    done
    "$top/tools/registry.sh" stop "$dir/registry"
    rm -rf "${dir:?}"/{socket,data,log,pid}
    rmdir "$dir" 2>/dev/null || true
}

docker()
{
    local dir=$1
    shift
    DOCKER_HOST=unix://$dir/socket/docker.sock "$peer/usr/bin/docker" "$@"
}

compose()
{
    local dir=$1
    shift
    DOCKER_HOST=unix://$dir/socket/docker.sock "$peer/usr/libexec/docker/cli-plugins/docker-compose" "$@"
}

case "${1:-}:$#" in
make:1) make_chroot ;;
start:2 | stop:2 | pids:2) "$1" "$(realpath -m "$2")" ;;
docker:* | compose:*) "$1" "$(realpath -m "$2")" "${@:3}" ;;
*) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
