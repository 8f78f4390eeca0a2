load ../lib/harness

# start ARG...: compote in the background, with its output in $SCRATCH/out and $SCRATCH/err; its pid is $started.
start()
{
    nsenter --net="/proc/$LAB_PID/ns/net" "$build/src/cli/compote" "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" 3>&- &
    started=$!
}

# ends_with STATUS: the command that was started does.
ends_with()
{
    local status=0
    wait "$started" || status=$?
    [ "$status" = "$1" ] || fail "status $status, not $1" "$(cat "$SCRATCH/out" "$SCRATCH/err")"
}

says()
{
    grep -qF -- "$2" "$SCRATCH/$1"
}

@test "standard output and error of containers stay apart, each line behind its name" {
    compose_file <<'YML'
services:
  a: {image: busybox, command: ["sh", "-c", "echo to out; echo to err >&2"]}
  longer: {image: busybox, command: ["sh", "-c", "printf 'no end'"]}
YML
    run -0 --separate-stderr compote up --progress quiet
    [ "${lines[0]}" = 'Attaching to a-1, longer-1' ]
    has $'a-1       | to out\n' $'longer-1  | no end' 'a-1 exited with code 0' 'longer-1 exited with code 0'
    [ "$stderr" = 'a-1       | to err' ]
}

@test "one interrupt stops in good order and ends with 0" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"]}
YML
    start up
    eventually says out '| up'
    kill -INT $started
    ends_with 0
    says err 'Gracefully Stopping... press Ctrl+C again to force'
    says out '| bye'
    says out 'web-1 exited with code 0'
    [ "$(state_of project-web-1)" = exited ]
}

@test "a second interrupt kills what does not stop" {
    compose_file <<'YML'
services:
  stubborn:
    image: busybox
    command: ["sh", "-c", "trap 'echo no' TERM; echo up; while :; do sleep 0.1; done"]
    stop_grace_period: 100s
YML
    start up
    eventually says out '| up'
    kill -INT $started
    eventually says out '| no'
    kill -TERM $started
    ends_with 130
    says err 'Container project-stubborn-1 Killing'
    [ "$(state_of project-stubborn-1)" = exited ]
}

@test "an interrupt while a dependency is awaited stops what was started" {
    compose_file <<'YML'
services:
  slow:
    image: busybox
    command: ["sh", "-c", "echo up; exec sleep 1000"]
    init: true
    healthcheck: {test: ["CMD", "false"], interval: 100s}
  web: {image: busybox, command: ["true"], depends_on: {slow: {condition: service_healthy}}}
YML
    start up --timeout 1
    eventually says out '| up'
    kill -INT $started
    ends_with 0
    [ "$(state_of project-slow-1)" = exited ]
}

@test "only what is asked for is attached" {
    compose_file <<'YML'
services:
  loud: {image: busybox, command: ["echo", "heard"]}
  quiet: {image: busybox, command: ["echo", "unheard"], attach: false}
  more: {image: busybox, command: ["echo", "rest"]}
YML
    run -0 compote up --no-attach more
    has heard
    has_not unheard rest
    compote down
    run -0 compote up --attach more --no-log-prefix
    has rest
    has_not heard
}

@test "up ends with the code of the container that failed" {
    compose_file <<'YML'
services:
  good: {image: busybox, command: ["true"]}
  bad: {image: busybox, command: ["sh", "-c", "exit 9"], depends_on: {good: {condition: service_completed_successfully}}}
  rest: {image: busybox, command: ["sleep", "1000"], init: true}
YML
    run compote up --abort-on-container-failure --timeout 1
    failed 9
    has 'bad-1 exited with code 9' 'Aborting on container exit...'
    [ "$(state_of project-rest-1)" = exited ]
}

@test "logs -f ends with 130 when interrupted, and by itself when all is over" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sh", "-c", "echo one; exec sleep 1000"], init: true}
YML
    compote up -d
    start logs -f
    eventually says out 'web-1  | one'
    kill -INT $started
    ends_with 130
    [ ! -s "$SCRATCH/err" ]
    start logs -f
    eventually says out 'web-1  | one'
    compote down -t 1
    ends_with 0
}
