# start, stop, restart, kill, pause, rm, create, pull, scale, wait.
load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "trap 'echo term; exit 5' TERM; trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done"]
  side: {image: busybox, command: ["sleep", "infinity"], init: true, depends_on: [web]}
YML
}

says()
{
    compote logs --no-log-prefix "$1" 2>/dev/null | grep -q "$2"
}

@test "stop sends the stop signal and keeps the container; start goes on with it" {
    compote up -d
    eventually says web ready
    local id
    id=$(compote ps -q web)
    compote stop web
    has_state project-web-1 exited
    says web term
    has_state project-side-1 running
    compote start web
    has_state project-web-1 running
    [ "$(compote ps -q web)" = "$id" ]
}

@test "stop with a timeout kills what will not end" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]}
YML
    compote up -d
    compote stop -t 1
    run -0 compote ps -a
    has "Exited (137)"
}

@test "restart gives a new process in the same container" {
    compote up -d
    local id pid
    id=$(compote ps -q side) pid=$(pid_of side)
    compote restart -t 1 side
    has_state project-side-1 running
    [ "$(compote ps -q side)" = "$id" ]
    [ "$(pid_of side)" != "$pid" ]
}

# web depends on db, with `restart: true`; log depends on db; job only runs when its profile is asked for.
chain_file()
{
    compose_file <<'YML'
x-idle: &idle {image: busybox, init: true, command: [sleep, infinity]}
services:
  web: {<<: *idle, depends_on: {db: {condition: service_healthy, restart: true}}}
  log: {<<: *idle, depends_on: [db]}
  db:
    <<: *idle
    command: ["sh", "-c", "rm -f /up; sleep 0.5; touch /up; exec sleep infinity"]
    healthcheck: {test: [CMD, test, -e, /up], interval: 100ms, retries: 100}
  job: {<<: *idle, profiles: [job]}
YML
}

@test "restart of one service restarts who depends on it with restart: true" {
    chain_file
    compote up -d
    local web log
    web=$(pid_of web) log=$(pid_of log)
    compote restart -t 1 --no-deps db
    [ "$(pid_of web)" = "$web" ]
    run -0 compote restart -t 1 db
    has "project-db-1 Healthy" "project-web-1 Restarting"
    [ "$(pid_of web)" != "$web" ]
    [ "$(pid_of log)" = "$log" ]
}

@test "start brings dependencies up first, waits for their conditions, and leaves inactive profiles alone" {
    chain_file
    compote --profile job up -d
    compote --profile job stop -t 1
    run -0 compote start web
    has "project-db-1 Healthy"
    has_state project-web-1 running
    has_state project-db-1 running
    has_state project-log-1 exited
    compote start
    has_state project-log-1 running
    has_state project-job-1 exited
    compote restart -t 1
    has_state project-job-1 exited
    compote start job
    has_state project-job-1 running
}

@test "kill ends a container that waits for its restart" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sh", "-c", "exit 3"], restart: always}
YML
    compote up -d
    eventually has_state project-web-1 restarting
    compote kill web
    has_state project-web-1 exited
    run -0 compote kill
    has "No container to kill"
}

@test "kill sends any signal" {
    compote up -d
    eventually says web ready
    compote kill -s HUP web
    eventually says web hup
    has_state project-web-1 running
    compote kill
    eventually has_state project-web-1 exited
    eventually has_state project-side-1 exited
}

@test "pause freezes, unpause goes on" {
    compote up -d
    compote pause side
    has_state project-side-1 paused
    compote unpause side
    has_state project-side-1 running
}

@test "rm removes stopped containers only, unless told to stop them" {
    compote up -d
    compote stop -t 1 side
    run -0 compote rm -f
    [ -z "$(state_of project-side-1)" ]
    has_state project-web-1 running
    compote rm -f -s web
    [ -z "$(state_of project-web-1)" ]
}

@test "rm leaves the containers of run alone" {
    compote run --no-deps --name once side true
    run -0 compote rm -f
    has "No stopped containers"
    compote up -d
    compote stop -t 1 side
    compote rm -f
    [ -z "$(state_of project-side-1)" ]
    has_state once exited
}

@test "create makes containers that start later" {
    compote create
    has_state project-web-1 created
    compote start
    has_state project-web-1 running
    has_state project-side-1 running
}

@test "start without containers is an error" {
    run compote start
    failed
    has web
}

@test "pull fetches images, and up finds them" {
    run -0 compote pull
    has Pulled
    compote up -d --pull never
    has_state project-web-1 running
}

@test "pull of what is not there says so" {
    compose_file <<'YML'
services:
  web: {image: "library/nosuch:9"}
YML
    run compote pull
    failed
    has nosuch:9
}

@test "wait gives the exit code" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sh", "-c", "sleep 0.3; exit 4"]}
YML
    compote up -d
    run compote wait web
    failed 4
}

@test "scale changes the number of replicas" {
    compote up -d
    compote scale side=2
    [ "$(compote ps -q side | wc -l)" = 2 ]
}

@test "cp copies in both directions" {
    compote up -d
    echo there >file
    run compote cp file side:/tmp/file
    succeeded
    run -0 compote exec -T side cat /tmp/file
    [ "$output" = there ]
    compote exec -T side sh -c 'echo back > /tmp/back'
    compote cp side:/tmp/back back
    [ "$(cat back)" = back ]
}
