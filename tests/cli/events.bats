load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "trap 'exit 3' TERM; touch /tmp/ok; while :; do sleep 0.1; done"]
    labels: {com.example.color: "re\"d"}
    healthcheck: {test: ["CMD-SHELL", "test -e /tmp/ok || { echo gone; exit 1; }"], interval: 200ms, retries: 1}
  side:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
YML
    started=$(date +%s.%N)
}

cleanup()
{
    [ -z "${listener:-}" ] || kill "$listener" 2>/dev/null || true
}

# listen ARG...: events in the background, into the file `events`, once it follows.
listen()
{
    listener=$(follow_events events "$@")
}

# follow_events FILE ARG...: prints the pid; not through in_lab, whose pid would be a shell's.
follow_events()
{
    local file=$1
    shift
    nsenter --net="/proc/$LAB_PID/ns/net" "$build/src/cli/compote" events "$@" >"$file" 2>/dev/null 3>&- &
    eventually watches $!
    echo $!
}

watches()
{
    grep -qs '^inotify wd' /proc/"$1"/fdinfo/*
}

happened()
{
    grep -q "$1" events
}

# Without the health of a process that is about to end.
actions()
{
    jq -r "select(.service == \"$1\") | .action" events | awk '/^start|^unpause/ {calm = 1} /^kill/ {calm = 0} calm || !/^health/ {printf "%s ", $0}'
}

@test "events sees what other commands and the containers themselves do, in order, with the reasons" {
    listen --json
    compote up -d --wait web
    compote exec -T web rm /tmp/ok
    eventually happened unhealthy
    compote pause web
    compote unpause web
    compote kill web
    eventually happened '"die"'
    compote start web
    eventually has_health project-web-1 healthy
    compote stop web
    compote down
    eventually happened destroy
    run -0 actions web
    [ "$output" = "create start health_status: healthy exec_create: rm /tmp/ok exec_start: rm /tmp/ok exec_die health_status: unhealthy pause unpause kill die start health_status: healthy kill die stop destroy " ]
    [ "$(jq -r 'select(.action == "health_status: unhealthy").attributes.output' events)" = gone ]
    [ "$(jq -r 'select(.action == "die").attributes | .exitCode + "," + .signal' events)" = $'137,9\n3,' ]
    [ "$(jq -r 'select(.action == "kill").attributes.signal' events)" = $'9\n15' ]
    [ "$(jq -r 'select(.action == "create") | .type + .attributes.name + .attributes.image + .attributes["com.example.color"]' events)" = 'containerproject-web-1busyboxre"d' ]
    [ "$(jq -r .id events | sort -u | wc -l)" = 1 ]
    jq -e -s 'map(.time) | . == sort' events
}

@test "events of the past: since, until, and only of some services" {
    compote up -d
    compote stop -t 0
    run -0 compote events --since "$started" --until 0s web
    has " container create " " container start " "exitCode=137" "signal=9" "image=busybox" "name=project-web-1"
    has_not project-side-1
    [[ "${lines[0]}" =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}\ [0-9:]{8}\.[0-9]{6}\ container\ create\ [0-9a-f]{64}\ \( ]]
    run -0 compote events --since "$started" --until "$started"
    [ -z "$output" ]
    run -0 compote events --until 1s
    [ -z "$output" ]
    run compote events --since yesterdayish
    failed 1
    has "is no time"
}

@test "events tells that memory ran out, and why a start failed" {
    compose_file <<'YML'
services:
  big: {image: busybox, mem_limit: 16m, command: ["sh", "-c", "head -c 100m /dev/zero | tail"]}
  wrong: {image: busybox, command: ["/no/such/program"]}
YML
    compote up -d big
    eventually has_state project-big-1 exited
    run -0 compote events --json --since "$started" --until 0s big
    has '"oom"' '"die"'
    run compote up -d wrong
    failed
    run -0 compote events --since "$started" --until 0s wrong
    has "exitCode=127" "error=command '/no/such/program'"
}

@test "events of run's containers are not shown; two listeners hear the same; none is lost when the journal turns over" {
    compote up -d side
    listen
    other=$(follow_events second)
    compote run --rm -T side true
    for i in 1 2 3; do compote exec -T side true "$(head -c 900 /dev/zero | tr '\0' "$i")"; done
    journal=$COMPOTE_ROOT/run/events/project
    # What a day of probes and execs writes: twice as much as the journal holds.
    line=$(tail -n 1 "$journal")
    head -c $((257 * 1024 - $(stat -c %s "$journal"))) /dev/zero | tr '\0' '\n' >>"$journal"
    compote exec -T side echo turned
    [ -e "$journal.1" ]
    compote exec -T side echo after
    eventually grep -q 'exec_start: echo after' events
    eventually grep -q 'exec_start: echo after' second
    [ "$(grep -c exec_die events)" = 5 ]
    cmp events second
    [ "$(stat -c %s "$journal")" -lt 10000 ]
    kill "$other"
    [ -n "$line" ]
    ! grep -q 'container create' events
}
