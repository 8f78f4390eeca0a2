# compote is killed at every step: a tracer delivers SIGKILL in place of the Nth call of each kind that changes
# something, for N = 1, 2 ... until the command comes to its end. After each kill the same command is run again and has to
# bring about what it would have; and nothing may be left behind.
#
# FAULTS=every takes each N; without it the kinds of which a command makes many are sampled.
load ../lib/harness

# Calls that change the machine, and how many to go on by when sampling.
faults="mkdir:5 rename:2 link:1 symlink:1 mount:1 umount2:1 unlink:2 unlinkat:13 rmdir:7 clone:1 clone3:1 setns:3 unshare:1
    bind:4 listen:2 connect:2 sendto:11 sendmsg:3 write:5 pwrite64:13 fchmod:3 chmod:2 ftruncate:1"

prepare_file()
{
    command -v strace >/dev/null || skip "needs strace (tools/deps.sh test)"
    strace -qq -o /dev/null true || skip "processes cannot be traced here"
}

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    init: true
    command: ["sleep", "infinity"]
    volumes: ["data:/data", "/anonymous"]
    ports: ["127.0.0.1:18081:80"]
    depends_on: [db]
  db: {image: busybox, init: true, command: ["sleep", "infinity"]}
volumes:
  data: {}
YML
    compote pull -q
}

# killed CALL N COMMAND...: succeeds when the command was killed at its Nth call of that kind.
killed()
{
    local call=$1 n=$2
    shift 2
    status=0
    in_lab strace -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
        "$build/src/cli/compote" "$@" >"$SCRATCH/out" 2>&1 || status=$?
    [ $status = 137 ] && return 0
    [ $status = 0 ] || { echo "not killed, but status $status at $call $n:"; cat "$SCRATCH/out"; exit 1; }
    return 1
}

# sweep BEFORE AFTER COMMAND...: BEFORE brings about the start, AFTER looks at the outcome of the command's second run.
sweep()
{
    local before=$1 after=$2 fault call step n kills=0
    shift 2
    for fault in $faults; do
        call=${fault%:*} step=${fault#*:}
        [ "${FAULTS:-}" != every ] || step=1
        # An odd start, so that the samples of neighbouring kinds do not fall together.
        for ((n = (step + 1) / 2; ; n += step)); do
            $before || { echo "before $call $n"; return 1; }
            killed "$call" $n "$@" || break
            kills=$((kills + 1))
            run compote "$@"
            [ "$status" = 0 ] && $after || { echo "after a kill at $call $n:"; echo "$output"; cat "$SCRATCH/out"; return 1; }
        done
    done
    echo "# $kills kills"
    [ $kills -gt 5 ]
}

nothing()
{
    compote down --volumes --remove-orphans --timeout 0 >/dev/null 2>&1
    check_nothing_left
}

everything()
{
    compote up --detach >/dev/null 2>&1
}

runs()
{
    [ "$(compote ps --format '{{.Service}}={{.State}}' | sort | tr '\n' ' ')" = "db=running web=running " ]
}

is_gone()
{
    [ -z "$(compote ps --all --quiet)" ] && check_nothing_left
}

has_stopped()
{
    [ "$(compote ps --all --format '{{.Service}}={{.State}}' | sort | tr '\n' ' ')" = "db=exited web=exited " ]
}

three_run()
{
    [ "$(compote ps --services --status running | wc -l)" = 2 ] && [ "$(compote ps --quiet db | wc -l)" = 3 ]
}

one_db()
{
    everything && compote up --detach --scale db=1 >/dev/null 2>&1
}

@test "up, killed at every step" {
    sweep nothing runs up --detach
}

@test "down, killed at every step" {
    sweep everything is_gone down --volumes --timeout 0
}

@test "up that makes everything anew, killed at every step" {
    sweep everything runs up --detach --force-recreate --timeout 0
    nothing
}

@test "stop and start, killed at every step" {
    sweep everything has_stopped stop --timeout 0
    stopped() { everything && compote stop --timeout 0 >/dev/null 2>&1; }
    sweep stopped runs start
    nothing
}

@test "restart and a change of scale, killed at every step" {
    sweep everything runs restart --timeout 0
    sweep one_db three_run up --detach --scale db=3
    nothing
}

@test "run and rm, killed at every step" {
    sweep true true run --rm --no-deps db true
    sweep everything true rm --force --stop
    nothing
}
