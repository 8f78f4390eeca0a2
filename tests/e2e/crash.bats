# Any of our processes may be killed at any moment: the next command goes on from what is there, and down leaves
# nothing. The comparison after each test (harness.bash) is half of what is checked here.
load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  a: {image: busybox, command: ["httpd", "-f", "-h", "/bin"], init: true, ports: ["8090:80"], volumes: ["data:/data"]}
  b: {image: busybox, command: ["sleep", "infinity"], init: true, depends_on: [a], networks: [default, other]}
  c: {image: busybox, command: ["sleep", "infinity"], init: true, depends_on: [b], stop_signal: SIGKILL}
volumes: {data: {}}
networks: {other: {}}
YML
    compote pull -q
}

# killed_after MILLISECONDS ARG...: starts the command and kills it then; fails when it was over before.
killed_after()
{
    local delay=$1
    shift
    in_lab timeout --signal=KILL "$(printf '0.%03d' "$delay")" "$build/src/cli/compote" "$@" >/dev/null 2>&1 </dev/null
    [ $? = 137 ]
}

all_run()
{
    [ "$(compote ps --status running --services | sort | tr '\n' ' ')" = "a b c " ]
}

# How long a whole command takes here, in milliseconds.
duration_of()
{
    local start
    start=$(date +%s%N)
    compote "$@" >/dev/null 2>&1
    echo $((($(date +%s%N) - start) / 1000000))
}

@test "up killed at ten moments: the next up converges, down leaves nothing" {
    local whole round
    whole=$(duration_of up -d)
    compote down -t 1
    for round in 1 2 3 4 5 6 7 8 9 10; do
        killed_after $((1 + RANDOM % (whole + 10))) up -d || true
        compote up -d
        all_run
        page http://127.0.0.1:8090/busybox -o /dev/null
        compote exec -T c ping -c 1 -W 2 a
        compote down -t 1 -v
        check_nothing_left
    done
}

@test "up killed at ten moments: down alone leaves nothing" {
    local whole round
    whole=$(duration_of up -d)
    compote down -t 1 -v
    for round in 1 2 3 4 5 6 7 8 9 10; do
        killed_after $((1 + RANDOM % (whole + 10))) up -d || true
        compote down -t 1 -v
        check_nothing_left
    done
}

@test "down killed at ten moments: the next down leaves nothing, the next up converges" {
    local whole round
    compote up -d
    whole=$(duration_of down -t 1)
    for round in 1 2 3 4 5 6 7 8 9 10; do
        compote up -d
        all_run
        killed_after $((1 + RANDOM % (whole + 5))) down -t 1 || true
        if [ $((round % 2)) = 0 ]; then
            compote down -t 1 -v
            check_nothing_left
        fi
    done
}

@test "a killed monitor: its container goes on, the next up takes it over" {
    compote up -d
    local monitor pid
    pid=$(pid_of a)
    for monitor in $(pids_of_program compote-monitor); do kill -9 "$monitor"; done
    page http://127.0.0.1:8090/busybox -o /dev/null
    kill -0 "$pid"
    compote up -d
    all_run
    [ "$(pid_of a)" = "$pid" ]
    [ "$(pids_of_program compote-monitor | wc -l)" = 3 ]
    compote stop -t 1 a
    has_state project-a-1 exited
}

@test "a killed monitor and a container that died unseen: the exit code is not called 0" {
    compote up -d
    local pid
    pid=$(pid_of b)
    for monitor in $(pids_of_program compote-monitor); do kill -9 "$monitor"; done
    kill -9 "$pid"
    eventually not_running project-b-1
    run -0 compote ps -a
    has_not "Exited (0)"
    compote up -d
    all_run
}

not_running()
{
    ! has_state "$1" running
}

@test "a killed netd: published ports of the kernel go on, the next up brings back the rest" {
    compote up -d
    local netd
    for netd in $(pids_of_program compote-netd); do kill -9 "$netd"; done
    page_outside http://198.51.100.1:8090/busybox -o /dev/null
    compote up -d
    compote exec -T c ping -c 1 -W 2 a
    page http://127.0.0.1:8090/busybox -o /dev/null
}

@test "two commands at once do not disturb each other" {
    local pids=() pid
    for _ in 1 2 3; do
        compote up -d >/dev/null 2>&1 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    all_run
    compote down -t 1 3>&- &
    pid=$!
    compote down -t 1 -v
    wait $pid
}
