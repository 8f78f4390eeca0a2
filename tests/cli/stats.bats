load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  busy: {image: busybox, command: ["sh", "-c", "while :; do :; done"], mem_limit: 64m, stop_grace_period: 0s}
  idle: {image: busybox, command: ["sleep", "infinity"], init: true}
  off: {image: busybox, command: ["true"]}
YML
    compote up -d
    eventually has_state project-off-1 exited
}

field_of()
{
    jq -r "select(.Name == \"project-$1-1\").$2" <<<"$output"
}

has_processes()
{
    [ "$(compote stats --no-stream --format '{{.PIDs}}' "$1")" -ge "$2" ]
}

@test "stats shows what containers use, once" {
    run -0 compote stats --no-stream
    [[ "${lines[0]}" =~ ^"CONTAINER ID"\ +NAME\ +"CPU %"\ +"MEM USAGE / LIMIT"\ +"MEM %"\ +"NET I/O"\ +"BLOCK I/O"\ +PIDS$ ]]
    has project-busy-1 project-idle-1
    has_not project-off-1
    run -0 compote stats --no-stream --all
    has project-off-1
    run -0 compote stats --no-stream busy
    has_not project-idle-1
    run compote stats --no-stream none
    failed
}

@test "stats: shares of processor and memory, processes and traffic are the container's" {
    compote exec -T idle sh -c 'for i in 1 2 3; do sleep 1000 & done; wait' &
    eventually has_processes idle 5
    compote exec -T idle sh -c 'head -c 100000 /dev/zero | timeout 1 nc busy 9 || true; ping -c 3 busy >/dev/null || true'
    run -0 compote stats --no-stream --format json
    awk -v busy="$(field_of busy CPUPerc)" -v idle="$(field_of idle CPUPerc)" \
        'BEGIN {exit !(busy + 0 > 5 && idle + 0 < 50 && busy + 0 > idle + 0)}'
    [[ "$(field_of busy MemUsage)" == *" / 64MiB" ]]
    [[ "$(field_of idle MemPerc)" =~ ^[0-9]+\.[0-9][0-9]%$ ]]
    [ "$(field_of busy PIDs)" = 1 ]
    [[ "$(field_of idle NetIO)" != "0B / "* ]]
    [ "$(field_of idle ID | wc -c)" = 13 ]
    run -0 compote stats --no-stream --no-trunc --format '{{.ID}} {{.Name}}' idle
    [[ "$output" =~ ^[0-9a-f]{64}\ project-idle-1$ ]]
    kill %1
}

# shows_often WORDS FILE: more than once.
shows_often()
{
    [ "$(grep -oF -- "$1" "$2" | wc -l)" -ge 2 ]
}

# on_terminal FILE WORDS ARG...: the program on a terminal, whose text goes to FILE, until it has shown WORDS twice.
on_terminal()
{
    local file=$1 words=$2 pid
    shift 2
    nsenter --net="/proc/$LAB_PID/ns/net" script -qfec "'$build/src/cli/compote' $*" "$file" </dev/null >/dev/null 2>&1 3>&- &
    pid=$!
    eventually test -s "$file"
    eventually shows_often "$words" "$file"
    kill $pid
    wait $pid || true
}

@test "stats goes on until it is stopped, in its place on a terminal" {
    on_terminal plain 'CPU %' stats --no-trunc idle
    NO_COLOR='' on_terminal colours $'\033[H' --ansi always stats idle
}
