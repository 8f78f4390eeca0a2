# cgroup v2 alone, which the machine that runs the tests need not have: in a virtual machine, with systemd and without.
# The checks themselves are in tests/guest/cgroup2.sh; both guests run at the same time, once for the file.
bats_require_minimum_version 1.5.0

top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
build=$(cd "$top" && realpath "${COMPOTE_TEST_BUILD:-build-rel}")
load ../lib/guest

setup_file()
{
    local kind
    for kind in systemd bare; do
        guest_payload $kind cgroup2
        { "$top/tests/lib/guest.sh" run $kind "$GUESTS/$kind" "$SECONDS_AT_MOST" >"$GUESTS/$kind.said" 2>&1 || echo "status $?" >>"$GUESTS/$kind.said"; } 3>&- &
    done
    wait
}

teardown_file()
{
    if [ -n "${GUESTS:-}" ]; then rm -rf "$GUESTS"; fi
}

# passed KIND CHECK...: what the guest said about them. A guest that ended early fails what it did not come to.
passed()
{
    local kind=$1 check
    shift
    for check in "$@"; do
        if grep -qE "^ok $check( |$)" "$GUESTS/$kind.said"; then continue; fi
        sed -n "/^not ok $check\$/,/^[^ ]/p" "$GUESTS/$kind.said"
        grep -qx "not ok $check" "$GUESTS/$kind.said" || { echo "$check did not run:"; tail -n 30 "$GUESTS/$kind.said"; }
        return 1
    done
}

@test "limits of memory, swap, CPUs and processes reach the cgroup and act" {
    passed systemd limits
    passed bare limits
}

@test "who is killed for lack of memory is told so, his neighbours are not" {
    passed systemd out_of_memory
    passed bare out_of_memory
}

@test "exec and health checks run in the container's cgroup" {
    passed systemd exec_and_health
    passed bare exec_and_health
}

@test "pause and unpause freeze and thaw, a paused container can be stopped and removed" {
    passed systemd pause
}

@test "stop and kill end everybody, also without a pid namespace" {
    passed systemd stop_and_kill
}

@test "a killed monitor: the container goes on, is adopted, restarts, and leaves nothing" {
    passed systemd killed_monitor
    passed bare killed_monitor
}

@test "restarts end as the policy says, and run --rm leaves nothing" {
    passed systemd restart_policy run_rm
}

@test "a container may divide its own cgroup" {
    passed systemd nested_cgroups
    passed bare nested_cgroups
}

@test "cgroup_parent, and the host's cgroup namespace" {
    passed systemd cgroup_parent
}

@test "full root: hard limits can be raised; scores are the container's, not the monitor's" {
    passed systemd privileged_limits
}

@test "systemd leaves our cgroups and their controllers alone" {
    passed systemd systemd_reload
}

@test "the end of the unit that ran up is not the end of what it brought up" {
    passed systemd systemd_units
}
