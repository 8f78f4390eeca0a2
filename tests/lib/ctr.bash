# For the bats files that test containers below the engine: tests/lib/ctr.c on a root file system made of busybox.
# A file that loads it gets, for each test, a root of its own and at the end a comparison: a mount, process, cgroup
# or directory that the test left behind fails it.

bats_require_minimum_version 1.5.0

top=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
build=$(cd "$top" && realpath "${COMPOTE_TEST_BUILD:-build-rel}")
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120}

need_containers()
{
    [ "$(id -u)" = 0 ] || skip "needs root for mount namespaces and cgroups"
    command -v crun >/dev/null || skip "needs crun"
    [ -x /bin/busybox ] || skip "needs busybox-static"
    [ -x "$build/tests/ctr" ] || { echo "no $build/tests/ctr: build first" >&2; return 1; }
}

make_layer()
{
    mkdir -p "$1"/{bin,etc,tmp,root,home/web}
    chmod 1777 "$1/tmp"
    cp /bin/busybox "$1/bin/"
    local name
    for name in $(/bin/busybox --list); do
        [ "$name" = busybox ] || ln -s busybox "$1/bin/$name"
    done
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'web:x:1000:1001:web:/home/web:/bin/sh' >"$1/etc/passwd"
    printf '%s\n' 'root:x:0:' 'web:x:1001:' 'extra:x:1002:web' 'video:x:44:' >"$1/etc/group"
}

setup()
{
    need_containers
    work=$(mktemp -d /tmp/compote-ctr.XXXXXX)
    layer=$work/layer
    make_layer "$layer"
    mkdir "$work/libexec"
    ln -s "$build/src/monitor/compote-monitor" "$build/src/init/compote-init" "$work/libexec/"
    export CTR_ROOT=$work/root CTR_RUN=$work/run CTR_LIBEXEC=$work/libexec CTR_CGROUP=/compote-test-${work##*.}
    CTR_LIBEXEC=$(realpath "$work/libexec")
}

teardown()
{
    local id
    [ -n "${work:-}" ] || return 0
    for id in $(find "$CTR_ROOT/containers" "$CTR_RUN/containers" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -u); do
        ctr remove "$id"
    done
    find "$CTR_RUN/containers" "$CTR_ROOT/containers" -mindepth 1 2>/dev/null | grep . && return 1
    find /sys/fs/cgroup -type d -path "*$CTR_CGROUP*" 2>/dev/null | grep . && return 1
    grep -F "$work" /proc/mounts && return 1
    pgrep -f "compote-monitor .* $work/" && return 1
    rm -rf "$work"
}

ctr()
{
    "$build/tests/ctr" "$@" 3>&-
}

# create ID JSON COMMAND...: JSON are members of the spec beside the layer and the command.
create()
{
    local id=$1 members=$2
    shift 2
    jq -n --arg layer "$layer" --argjson members "$members" --args \
        '{layers: [$layer], argv: $ARGS.positional} + $members' -- "$@" >"$work/$id.json"
    ctr create "$id" "$work/$id.json"
}

# run_to_end ID JSON COMMAND...: its output is what the log has; STATUS its exit code.
run_to_end()
{
    create "$@" && ctr start "$1" && wait_for "$1" pid=0 state=exited || return
    log "$1"
    return "$(field "$1" exit_code)"
}

wait_for()
{
    timeout 30 "$build/tests/ctr" wait "$@" 3>&- || { ctr status "$1"; return 1; }
}

field()
{
    ctr status "$1" | sed -n "s/^$2=//p"
}

log()
{
    jq -rj .log "$CTR_ROOT/containers/$1/log/container.log"
}
