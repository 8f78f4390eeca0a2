#!/bin/bash
# Runs in the guest (tests/lib/guest.sh) as root: what compote does with cgroup v2 alone. Every function check_NAME is one
# check; for each a line "ok NAME" or "not ok NAME" is printed, the latter followed by what was said. After each the machine
# is compared with how it was before: what is left behind fails the check.
#
# Beside this file: compote, libexec/, busybox.tar. Arguments: names of checks; none means all.
#
# Lists of process ids, numbers and names are split into words on purpose.
# shellcheck disable=SC2046,SC2048
set -u
here=$(cd "${0%/*}" && pwd)
export COMPOTE_LIBEXEC=$here/libexec NO_COLOR=1 PATH=$here:$PATH
mkdir -p /project
cd /project || exit 1

# --- Helpers ----------------------------------------------------------------------------------------------------------

compose_file()
{
    cat >compose.yml
}

eventually()
{
    local deadline=$((SECONDS + 15))
    until "$@"; do
        [ $SECONDS -lt $deadline ] || { echo "never came true: $*"; return 1; }
        sleep 0.05
    done
}

# same WANTED COMMAND...: what the command prints is that.
same()
{
    local wanted=$1 got
    shift
    got=$("$@")
    [ "$got" = "$wanted" ] || { echo "$*: '$got', not '$wanted'"; return 1; }
}

# An entry of the status that the monitor of a service's container keeps. (Asking compote costs a third of a second here.)
status_of()
{
    local spec id
    spec=$(grep -lF "\"project-$1-1\"" /var/lib/compote/containers/*/spec.json)
    id=${spec%/spec.json}
    sed -n "s/^$2=//p" "/run/compote/containers/${id##*/}/status"
}

has_status()
{
    [ "$(status_of "$1" "$2")" = "$3" ]
}

has_state()
{
    has_status "$1" state "$2"
}

pid_of()
{
    status_of "$1" pid
}

# The directory of a service's cgroup, found through its process.
cgroup_of()
{
    echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of "$1")/cgroup")"
}

snapshot()
{
    find /sys/fs/cgroup -mindepth 1 -type d -path '*compote*' -o -type d -path '*/elsewhere*'
    awk '/compote/ {print "mount", $2}' /proc/self/mounts
    ip -o link | awk -F': ' '{print "link", $2}'
    ip netns
    nft list tables
    find /run/compote/containers /run/compote/netns /var/lib/compote/containers -mindepth 1 -maxdepth 3
    pgrep -a compote
}

nothing_left()
{
    snapshot >/tmp/after 2>/dev/null
    diff /tmp/before /tmp/after >/tmp/left
}

# --- Checks -----------------------------------------------------------------------------------------------------------

check_limits()
{
    compose_file <<'YML'
services:
  a:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    mem_limit: 32m
    memswap_limit: 48m
    mem_reservation: 16m
    mem_swappiness: 10
    oom_kill_disable: true
    cpus: 0.5
    cpuset: "1"
    cpu_shares: 512
    pids_limit: 12
  free: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
    compote up -d
    local group file forks
    group=$(cgroup_of a)
    [[ $group == /sys/fs/cgroup/compote/* ]]
    same "33554432 16777216 16777216 50000 100000 1 12" \
        echo $(cd "$group" && cat memory.max memory.swap.max memory.low cpu.max cpuset.cpus pids.max)
    [ "$(cat "$group/cpu.weight")" -lt 100 ]
    same 33554432 compote exec -T a cat /sys/fs/cgroup/memory.max
    same 0::/ compote exec -T a cat /proc/self/cgroup
    ! compote exec -T a mkdir /sys/fs/cgroup/own
    # init, sleep, the shell: 9 more fit.
    forks=$(compote exec -T a sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 1 & done 2>&1; wait' || true)
    [[ $forks == *"Resource temporarily unavailable"* ]]
    [ "$(awk '$1 == "max" {print $2}' "$group/pids.events")" -gt 0 ]
    group=$(cgroup_of free)
    for file in memory.max memory.swap.max pids.max; do same max cat "$group/$file"; done
    compote down -t 1
}

check_out_of_memory()
{
    compose_file <<'YML'
services:
  first: {image: busybox, command: ["tail", "/dev/zero"], mem_limit: 12m}
  child: {image: busybox, init: true, command: ["sh", "-c", "tail /dev/zero; exit 7"], mem_limit: 12m}
  fine: {image: busybox, command: ["sh", "-c", "exit 3"], mem_limit: 12m}
YML
    compote up -d
    eventually has_state first exited
    eventually has_state child exited
    eventually has_state fine exited
    same 137 status_of first exit_code
    same 1 status_of first oom_killed
    same 7 status_of child exit_code
    same 1 status_of child oom_killed
    same 3 status_of fine exit_code
    same 0 status_of fine oom_killed
    compote down
}

check_exec_and_health()
{
    compose_file <<'YML'
services:
  a:
    image: busybox
    init: true
    command: ["sleep", "infinity"]
    healthcheck: {test: ["CMD-SHELL", "cat /proc/self/oom_score_adj >/tmp/score; pidof sleep"], interval: 200ms}
YML
    compote up -d
    eventually has_status a health healthy
    same 0 compote exec -T a cat /tmp/score
    local group status=0
    group=$(cgroup_of a)
    compote exec -d a sleep 4321
    eventually grep -qsx "$(pgrep -f '^sleep 4321')" "$group/cgroup.procs"
    compote exec -T a sh -c 'exit 9' || status=$?
    [ $status = 9 ]
    compote down -t 1
}

check_pause()
{
    compose_file <<'YML'
services:
  a: {image: busybox, init: true, command: ["sh", "-c", "while :; do echo x >>/tmp/x; sleep 0.05; done"]}
YML
    compote up -d
    local group
    group=$(cgroup_of a)
    compote pause a
    has_state a paused
    grep -qx 'frozen 1' "$group/cgroup.events"
    ! compote exec -T a true
    compote unpause a
    grep -qx 'frozen 0' "$group/cgroup.events"
    has_state a running
    compote pause a
    compote stop -t 1 a
    has_state a exited
    compote up -d
    compote pause a
    compote down -t 1
}

# Stops and kills, with and without a pid namespace whose end is everybody's.
check_stop_and_kill()
{
    compose_file <<'YML'
services:
  deaf: {image: busybox, command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]}
  host: {image: busybox, pid: host, command: ["sh", "-c", "sleep 8765 & sleep 8765 & wait"]}
  tell: {image: busybox, command: ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"]}
YML
    compote up -d
    eventually same 2 pgrep -c -f '^sleep 8765'
    compote stop -t 1
    same 137 status_of deaf exit_code
    same 5 status_of tell exit_code
    ! pgrep -f '^sleep 8765'
    compote up -d
    compote kill
    ! pgrep -f '^sleep 8765'
    compote down
}

check_killed_monitor()
{
    compose_file <<'YML'
services:
  a: {image: busybox, init: true, command: ["sleep", "infinity"], mem_limit: 32m}
  b: {image: busybox, init: true, command: ["sleep", "infinity"], restart: always}
YML
    compote up -d
    local a b group
    a=$(pid_of a)
    b=$(pid_of b)
    kill -9 $(pidof compote-monitor)
    kill -0 "$a" "$b"
    compote up -d
    same "$a" pid_of a
    group=$(cgroup_of a)
    same 33554432 cat "$group/memory.max"
    compote pause a
    compote unpause a
    kill -9 "$b"
    eventually is_restarted "$b"
    compote stop -t 1 a
    has_state a exited
    [ ! -e "$group" ]
    kill -9 $(pidof compote-monitor)
    compote down -t 1
}

is_restarted()
{
    has_state b running && [ "$(pid_of b)" != "$1" ]
}

check_restart_policy()
{
    compose_file <<'YML'
services:
  failing: {image: busybox, command: ["sh", "-c", "echo try; exit 1"], restart: "on-failure:2"}
YML
    compote up -d
    eventually has_state failing exited
    same "3 0" echo $(compote logs failing | grep -c try) $(find /sys/fs/cgroup/compote -mindepth 1 -type d | wc -l)
    compote down
}

check_run_rm()
{
    compose_file <<'YML'
services:
  a: {image: busybox, command: ["true"], mem_limit: 24m}
YML
    same 25165824 compote run --rm -T a cat /sys/fs/cgroup/memory.max
    local status=0
    compote run --rm -T a sh -c 'exit 6' || status=$?
    [ $status = 6 ]
    compote down
}

# A container that divides its own cgroup, as a nested systemd or compote does.
check_nested_cgroups()
{
    compose_file <<'YML'
services:
  a:
    image: busybox
    privileged: true
    command: ["sh", "-c", "cd /sys/fs/cgroup; mkdir -p a/b; echo $$$$ >a/b/cgroup.procs; sleep 5555 & exec sleep 5555"]
  ends:
    image: busybox
    privileged: true
    command: ["sh", "-c", "cd /sys/fs/cgroup; mkdir -p a/b; echo $$$$ >a/b/cgroup.procs; exit 4"]
YML
    compote up -d
    eventually same 2 pgrep -c -f '^sleep 5555'
    eventually has_state ends exited
    compote exec -T a true
    compote stop -t 1 a
    has_state a exited
    compote up -d
    kill -9 $(pidof compote-monitor)
    compote down -t 1
    ! pgrep -f '^sleep 5555'
}

check_cgroup_parent()
{
    compose_file <<'YML'
services:
  a: {image: busybox, init: true, command: ["sleep", "infinity"], cgroup_parent: /elsewhere/group, mem_limit: 32m}
  b: {image: busybox, init: true, command: ["sleep", "infinity"], cgroup: host}
YML
    compote up -d
    [[ $(cgroup_of a) == /sys/fs/cgroup/elsewhere/group/* ]]
    same 33554432 compote exec -T a cat /sys/fs/cgroup/memory.max
    [[ $(compote exec -T b cat /proc/self/cgroup) == 0::/compote/* ]]
    compote down -t 1
    rmdir /sys/fs/cgroup/elsewhere/group /sys/fs/cgroup/elsewhere
}

limit_of()
{
    compote exec -T "$1" awk -v name="$2" 'index($0, name) == 1 {print $(NF - 2), $(NF - 1)}' /proc/1/limits
}

# Only full root may raise hard limits and lower scores.
check_privileged_limits()
{
    compose_file <<'YML'
services:
  plain: {image: busybox, command: ["sleep", "infinity"]}
  low: {image: busybox, command: ["sleep", "infinity"], oom_score_adj: -300}
  high:
    image: busybox
    command: ["sleep", "infinity"]
    oom_score_adj: 500
    ulimits: {nofile: {soft: 2000000, hard: 2000000}, memlock: -1, nproc: 65535, core: 0}
YML
    compote up -d
    local pid
    same 0 compote exec -T plain cat /proc/1/oom_score_adj
    same 0 compote exec -T plain cat /proc/self/oom_score_adj
    ! compote exec -T plain sh -c 'echo -100 >/proc/self/oom_score_adj'
    same -300 compote exec -T low cat /proc/1/oom_score_adj
    same 500 compote exec -T high cat /proc/1/oom_score_adj
    same 500 compote exec -T high cat /proc/self/oom_score_adj
    for pid in $(pidof compote-monitor); do same -999 cat "/proc/$pid/oom_score_adj"; done
    same "unlimited unlimited" limit_of high "Max locked memory"
    same "65535 65535" limit_of high "Max processes"
    same "0 0" limit_of high "Max core file size"
    same "$(cat /proc/sys/fs/nr_open) $(cat /proc/sys/fs/nr_open)" limit_of high "Max open files"
    compote down -t 1
}

# run_unit NAME COMMAND...: a oneshot service, to its end.
run_unit()
{
    local name=$1
    shift
    {
        echo "[Service]"
        echo "Type=oneshot"
        echo "WorkingDirectory=/project"
        echo "Environment=COMPOTE_LIBEXEC=$COMPOTE_LIBEXEC"
        echo "CPUQuota=80%"
        echo "ExecStart=$*"
    } >"/run/systemd/system/$name.service"
    systemctl daemon-reload
    systemctl start "$name"
}

# systemd switches off controllers that no unit of its own wants, and reads everything anew on reload.
check_systemd_reload()
{
    compose_file <<'YML'
services:
  a: {image: busybox, init: true, command: ["sleep", "infinity"], mem_limit: 32m, cpus: 0.5, cpuset: "0"}
YML
    compote up -d
    local group before
    group=$(cgroup_of a)
    before=$(cd "$group" && cat memory.max cpu.max cpuset.cpus)
    run_unit nothing /bin/true
    systemctl daemon-reexec
    run_unit nothing /bin/true
    same "$before" echo "$(cd "$group" && cat memory.max cpu.max cpuset.cpus)"
    compote restart -t 1
    same "$before" echo "$(cd "$(cgroup_of a)" && cat memory.max cpu.max cpuset.cpus)"
    compote down -t 1
}

# A unit that brings a project up and ends: systemd then ends all that is left in it.
check_systemd_units()
{
    compose_file <<'YML'
services:
  a: {image: busybox, init: true, command: ["sleep", "infinity"], healthcheck: {test: "true", interval: 200ms}}
YML
    run_unit brings-up "$here/compote" up -d
    [ ! -e /sys/fs/cgroup/system.slice/brings-up.service ]
    same 0::/ cat "/proc/$(pidof compote-monitor)/cgroup"
    same 0::/ cat "/proc/$(pidof compote-netd)/cgroup"
    eventually has_status a health healthy
    run_unit takes-down "$here/compote" down -t 1
}

# --- Running them -----------------------------------------------------------------------------------------------------

run_check()
{
    local name=$1 status=0 started=$SECONDS
    (
        set -eE
        trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
        "check_$name"
        eventually nothing_left || { cat /tmp/left; exit 1; }
    ) >/tmp/said 2>&1
    status=$?
    if [ $status = 0 ]; then
        echo "ok $name # $((SECONDS - started)) s"
        return
    fi
    echo "not ok $name"
    sed 's/^/    /' /tmp/said | tail -n 60
    compote down -t 0 >/dev/null 2>&1
    snapshot >/tmp/before 2>/dev/null
}

compote image import "$here/busybox.tar" busybox >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }
snapshot >/tmp/before 2>/dev/null
kind=$(cat /proc/1/comm)
# Without systemd no controller is on and all processes are in the top cgroup: what could differ there.
without_systemd=" exec_and_health killed_monitor limits nested_cgroups out_of_memory "
for name in ${*:-$(declare -F | sed -n 's/^declare -f check_//p')}; do
    if [[ $kind != systemd && $without_systemd != *" $name "* ]]; then continue; fi
    run_check "$name"
done
