# For the bats files that run compote for real. Load it, and a file gets:
#
#   once for the file     a lab: a network namespace ("this machine"), in it a registry with the test images on
#                         127.0.0.1:5000, and behind a veth pair a second namespace ("outside", 198.51.100.2; the
#                         lab is 198.51.100.1). Nothing in it touches the machine's own network.
#   once for each test    a root of its own (COMPOTE_ROOT), a project folder that is the working directory, and at
#                         the end a `down` of what runs and a comparison: whatever the test left behind fails it.
#
# compote ARG... runs the program in the lab; in_lab and outside run any command in the two namespaces.
# COMPOTE_TEST_BUILD names the build directory (build-rel).
#
# bats keeps descriptor 3 for itself: whatever stays behind a command must not hold it, or bats waits for it.

bats_require_minimum_version 1.5.0

top=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
build=${COMPOTE_TEST_BUILD:-build-rel}
build=$(cd "$top" && realpath "$build")
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120}
export NO_COLOR=1 COMPOTE_LIBEXEC=$build/libexec

# --- The lab ------------------------------------------------------------------------------------------------------

# A process that holds a new network namespace open; its pid goes to the named file.
hold_namespace()
{
    unshare --net sleep infinity >/dev/null 2>&1 </dev/null 3>&- 9>&- &
    local pid=$! own
    echo $pid >"$1"
    own=$(readlink /proc/self/ns/net)
    while [ "$(readlink /proc/$pid/ns/net)" = "$own" ]; do kill -0 $pid || return 1; done
}

in_lab()
{
    nsenter --net="/proc/$LAB_PID/ns/net" "$@" 3>&-
}

outside()
{
    nsenter --net="/proc/$OUTSIDE_PID/ns/net" "$@" 3>&-
}

setup_file()
{
    [ "$(id -u)" = 0 ] || skip "needs root for namespaces, bridges and mounts"
    [ -x "$build/src/cli/compote" ] || { echo "no $build/src/cli/compote: run tools/build.sh" >&2; return 1; }
    local storage
    storage=$("$top/tests/images/build.sh" 3>&-)
    LAB=$(mktemp -d "${COMPOTE_LABS:-/tmp}/compote-lab.XXXXXX")
    export LAB # also marks every process that comes from here, for sweep.sh
    hold_namespace "$LAB/pid"
    hold_namespace "$LAB/outside.pid"
    export LAB_PID OUTSIDE_PID COMPOTE_REGISTRIES=$LAB/registries.json
    LAB_PID=$(cat "$LAB/pid") OUTSIDE_PID=$(cat "$LAB/outside.pid")
    in_lab ip link set lo up
    outside ip link set lo up
    in_lab ip link add uplink type veth peer name uplink netns "$OUTSIDE_PID"
    in_lab ip addr add 198.51.100.1/24 dev uplink
    in_lab ip link set uplink up
    outside ip addr add 198.51.100.2/24 dev uplink
    outside ip link set uplink up
    in_lab ip route add default via 198.51.100.2
    in_lab "$top/tools/registry.sh" start "$LAB/registry" "$storage" 5000 >/dev/null
    write_registries >"$COMPOTE_REGISTRIES"
    if declare -F prepare_file >/dev/null; then prepare_file; fi
}

teardown_file()
{
    [ -n "${LAB:-}" ] || return 0
    "$top/tools/registry.sh" stop "$LAB/registry"
    kill "$LAB_PID" "$OUTSIDE_PID"
    rm -rf "$LAB"
}

# docker.io is the lab's registry. The real one is not to be asked: there is no way out of the lab, so it is not tried
# for long.
write_registries()
{
    echo '{"registries": {"docker.io": {"mirrors": ["http://127.0.0.1:5000"]}}, "connect_timeout": 2, "retries": 0}'
}

# --- A test ---------------------------------------------------------------------------------------------------------

setup()
{
    SCRATCH=$(mktemp -d "$LAB/test.XXXXXX")
    use_root "$SCRATCH/root"
    mkdir "$SCRATCH/project"
    cd "$SCRATCH/project" || return 1
    snapshot >"$SCRATCH/before"
    if declare -F prepare >/dev/null; then prepare; fi
}

teardown()
{
    [ -n "${SCRATCH:-}" ] || return 0
    local status=0
    if declare -F cleanup >/dev/null; then cleanup || true; fi
    stop_everything
    check_nothing_left || status=1
    cd / && rm -rf --one-file-system "$SCRATCH"
    return $status
}

# use_root DIR: the store that compote works on from here.
use_root()
{
    export COMPOTE_ROOT=$1
    mkdir -p "$COMPOTE_ROOT"
    # The kernel objects of a root carry the beginning of the digest of its path.
    COMPOTE_ID=$(printf %s "$COMPOTE_ROOT" | sha256sum | cut -c1-8)
}

compote()
{
    in_lab "$build/src/cli/compote" "$@"
}

# Projects that a test left running are its own to end; this is for the tests that failed halfway.
stop_everything()
{
    local name
    # Networks without containers are in no list; and the file of a failed test may be broken.
    compote down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
    cd / || return 1
    compote ls --all --quiet 2>/dev/null | while read -r name; do
        compote --project-name "$name" down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
    done
}

# Processes that belong to the root: compote's own have its path among their arguments or in their environment, those in
# containers are in its cgroups. (Mounts say nothing: a namespace that belongs to somebody else may have received copies of the root's.)
processes_of_root()
{
    local pid file
    {
        grep -lsF "$COMPOTE_ROOT/" /proc/[0-9]*/cmdline || true
        for file in $(grep -lszxF "COMPOTE_ROOT=$COMPOTE_ROOT" /proc/[0-9]*/environ || true); do
            if grep -qs '^compote' "${file%/*}/comm"; then echo "$file"; fi
        done
        grep -lsF "/compote_$COMPOTE_ID" /proc/[0-9]*/cgroup || true
    } | cut -d/ -f3 | sort -u | while read -r pid; do
        echo "process $pid $({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null)"
    done
}

# Everything of the root that outlives a command, one a line.
snapshot()
{
    processes_of_root
    awk -v root="$COMPOTE_ROOT/" 'index($0, root) {print "mount", $2}' /proc/self/mounts
    in_lab ip -o link | awk -F': ' '{sub(/@.*/, "", $2); print "link", $2}'
    in_lab nft list tables
    find /sys/fs/cgroup -type d -name "*compote_$COMPOTE_ID*" -printf 'cgroup %p\n' 2>/dev/null || true
    find "$COMPOTE_ROOT"/containers "$COMPOTE_ROOT"/run/{containers,netns,netd} -mindepth 1 -maxdepth 2 \
        -printf 'file %p\n' 2>/dev/null || true
}

# Waits for what takes a moment to go (a killed process, its interfaces), then compares with the start of the test.
check_nothing_left()
{
    local try
    for ((try = 0; try < 100; try++)); do
        snapshot >"$SCRATCH/after"
        if diff "$SCRATCH/before" "$SCRATCH/after" >"$SCRATCH/left"; then return 0; fi
        sleep 0.05
    done
    echo "left behind:"
    cat "$SCRATCH/left"
    remove_leftovers
    return 1
}

# So that one failing test does not fail the next: only what carries this root's name.
remove_leftovers()
{
    local kind what rest
    while read -r _ kind what rest; do
        case $kind in
        process) kill -9 "$what" ;;
        mount) umount -l "$what" ;;
        link) in_lab ip link del "$what" ;;
        esac
    done < <(grep '^>' "$SCRATCH/left") 2>/dev/null
    in_lab nft flush ruleset
    return 0
}

# --- Helpers for tests ----------------------------------------------------------------------------------------------

# Writes compose.yml from standard input.
compose_file()
{
    cat >compose.yml
}

# eventually COMMAND...: until it succeeds, at most WAIT_SECONDS (20).
eventually()
{
    local deadline=$((SECONDS + ${WAIT_SECONDS:-20}))
    until "$@"; do
        if [ $SECONDS -ge $deadline ]; then
            echo "never came true: $*"
            return 1
        fi
        sleep 0.05
    done
}

fail()
{
    printf '%s\n' "$@"
    return 1
}

# These speak about $status and $output of the last `run`.
succeeded()
{
    [ "$status" -eq 0 ] || fail "status $status:" "$output"
}

failed()
{
    [ "$status" -ne 0 ] || fail "ended with 0, should have failed:" "$output"
    [ $# -eq 0 ] || [ "$status" -eq "$1" ] || fail "status $status, not $1:" "$output"
}

has()
{
    local words
    for words in "$@"; do
        [[ $output == *"$words"* ]] || fail "not in the output: $words" "output:" "$output"
    done
}

has_not()
{
    local words
    for words in "$@"; do
        [[ $output != *"$words"* ]] || fail "should not be in the output: $words" "output:" "$output"
    done
}

# page URL...: prints a page as fetched on the lab's machine; page_outside: from the other side of its uplink.
page()
{
    in_lab curl -sS --fail --max-time 10 --noproxy '*' --location "$@"
}

page_outside()
{
    outside curl -sS --fail --max-time 10 --noproxy '*' --location "$@"
}

# The state of a container by its name, as ps tells it: running, exited ...
state_of()
{
    compote ps --all --format '{{.Name}} {{.State}} {{.Health}}' | awk -v name="$1" '$1 == name {print $2; exit}'
}

health_of()
{
    compote ps --all --format '{{.Name}} {{.State}} {{.Health}}' | awk -v name="$1" '$1 == name {print $3; exit}'
}

has_state()
{
    [ "$(state_of "$1")" = "$2" ]
}

has_health()
{
    [ "$(health_of "$1")" = "$2" ]
}

# The first process of a service's container, as the machine sees it.
pid_of()
{
    compote top "$1" | awk 'column {print $column; exit} {for (i = 1; i <= NF; i++) if ($i == "PID") column = i}'
}

# Pids of the monitors (or, named, another of the root's programs).
pids_of_program()
{
    processes_of_root | awk -v name="${1:-compote-monitor}" 'index($3, name) {print $2}'
}
