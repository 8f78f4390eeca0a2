load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  one:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    environment: {COLOR: "${COLOR:-red}"}
  two:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    depends_on: [one]
YML
}

id_of()
{
    compote ps --all --quiet "$1"
}

@test "up -d starts every service and returns" {
    run -0 compote up -d
    run -0 compote ps --services
    [ "$(sort <<<"$output")" = $'one\ntwo' ]
    has_state project-one-1 running
    has_state project-two-1 running
}

@test "up -d again changes nothing" {
    compote up -d
    local one two
    one=$(id_of one) two=$(id_of two)
    run -0 compote up -d
    has Running
    has_not Recreated Started
    [ "$(id_of one) $(id_of two)" = "$one $two" ]
}

@test "up -d recreates the service whose configuration changed, and no other" {
    compote up -d
    local one two
    one=$(id_of one) two=$(id_of two)
    COLOR=blue run -0 compote up -d
    [ "$(id_of one)" != "$one" ]
    [ "$(id_of two)" = "$two" ]
    run -0 compote exec -T one sh -c 'echo $COLOR'
    [ "$output" = blue ]
}

@test "up --force-recreate makes new containers; --no-recreate keeps changed ones" {
    compote up -d
    local one
    one=$(id_of one)
    COLOR=blue compote up -d --no-recreate
    [ "$(id_of one)" = "$one" ]
    compote up -d --force-recreate --timeout 1
    [ "$(id_of one)" != "$one" ]
}

@test "up of one service starts what it depends on; --no-deps does not" {
    compote up -d two
    has_state project-one-1 running
    compote down --timeout 1
    compote up -d --no-deps two
    [ -z "$(id_of one)" ]
    has_state project-two-1 running
}

@test "up --scale makes and removes replicas" {
    compote up -d --scale two=3
    [ "$(id_of two | wc -l)" = 3 ]
    has_state project-two-3 running
    compote up -d --scale two=1 --timeout 1
    [ "$(id_of two | wc -l)" = 1 ]
    has_state project-two-1 running
}

@test "up --quiet-pull says nothing about layers" {
    run -0 compote up -d --quiet-pull
    has Pulling Pulled
    has_not "Pulling fs layer" Downloading "Pull complete"
}

@test "up --no-start creates and does not start" {
    compote up --no-start
    has_state project-one-1 created
    compote start
    has_state project-one-1 running
}

@test "up --remove-orphans takes away what the file no longer has" {
    compote up -d
    compose_file <<'YML'
services:
  one: {image: busybox, command: ["sleep", "infinity"], init: true, environment: {COLOR: red}}
YML
    run -0 compote up -d
    has orphan
    has_state project-two-1 running
    compote up -d --remove-orphans --timeout 1
    [ -z "$(state_of project-two-1)" ]
    has_state project-one-1 running
}

@test "up attached shows the output with the container's name, and ends when they do" {
    compose_file <<'YML'
services:
  talk: {image: busybox, command: ["sh", "-c", "echo out; echo err >&2"]}
YML
    run -0 --separate-stderr compote up
    [[ $output == *"talk-1"*"| out"* ]] || fail "$output"
}

@test "up --exit-code-from ends with that container's code" {
    compose_file <<'YML'
services:
  work: {image: busybox, command: ["sh", "-c", "exit 7"]}
  other: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
    run compote up --exit-code-from work --timeout 1
    failed 7
    eventually has_state project-other-1 exited
}

@test "up --abort-on-container-exit stops the others" {
    compose_file <<'YML'
services:
  work: {image: busybox, command: ["true"]}
  other: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
    compote up --abort-on-container-exit --timeout 1
    eventually has_state project-other-1 exited
}

@test "an interrupt while attached stops the containers" {
    nsenter --net="/proc/$LAB_PID/ns/net" "$build/src/cli/compote" up --timeout 1 >"$SCRATCH/out" 2>&1 3>&- &
    local pid=$!
    # Both: what an interrupt keeps from starting stays as it was made.
    eventually has_state project-one-1 running
    eventually has_state project-two-1 running
    kill -INT $pid
    wait $pid || true
    has_state project-one-1 exited
    has_state project-two-1 exited
}

@test "up --wait returns when services are healthy" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "touch /ready; exec sleep infinity"]
    init: true
    healthcheck: {test: ["CMD", "test", "-e", "/ready"], interval: 200ms, retries: 50}
YML
    compote up --wait
    has_health project-web-1 healthy
}

@test "a plan tells why, key by key, and as JSON for tools" {
    compose_file <<'YML'
services:
  web: {image: busybox, init: true, command: ["sleep", "100"], environment: {LEVEL: "${LEVEL}", SAME: "1"}}
YML
    LEVEL=info compote up -d
    LEVEL=debug run -0 compote --dry-run up -d
    has 'Container project-web-1 Recreate environment.LEVEL "info" → "debug"'
    LEVEL=debug run -0 --separate-stderr compote --dry-run --format json up -d
    jq -e -s '[.[].action] == ["recreate", "start"]' <<<"$output"
    jq -e -s '.[0] == {action: "recreate", resource: "container", name: "project-web-1",
        reason: "environment.LEVEL \"info\" → \"debug\""}' <<<"$output"
    run -0 --separate-stderr compote --dry-run --format json down
    jq -e -s '[.[] | .action + " " + .resource] == ["stop container", "remove container", "remove network"]' <<<"$output"
    has_state project-web-1 running
}

@test "up --dry-run says what it would do and does nothing" {
    run -0 compote up -d --dry-run
    has "DRY-RUN MODE" project-one-1
    [ -z "$(id_of one)" ]
    run -0 compote ls --all --quiet
    [ -z "$output" ]
}

@test "an unknown service, image and command are errors that name them" {
    run compote up -d nosuch
    failed
    has "no such service: nosuch"
    compose_file <<'YML'
services:
  web: {image: "nosuchimage:1"}
YML
    run compote up -d
    failed
    has nosuchimage
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["/no/such/program"]}
YML
    run compote up -d
    failed
    has /no/such/program
}

@test "what no container can be made from is told before anything is made" {
    local line words
    while IFS='|' read -r line words; do
        printf 'services:\n  ok: {image: busybox, command: [sleep, infinity]}\n  bad: {image: busybox, %s}\n' "$line" >compose.yml
        printf 'volumes: {v: }\nsecrets: {s: {file: ./gone}}\n' >>compose.yml
        run compote up -d
        failed 1
        has "service bad: $words"
        has_not Creating
    done <<'ROWS'
ulimits: {bogus: 1}|'bogus' is not an ulimit
working_dir: relative|working_dir 'relative' is not an absolute path
volumes: ["v:/v"]|mount target 'v:/v' is not an absolute path
logging: {options: {max-size: 1x}}|logging option max-size: '1x' is not a size
secrets: [s]|secret s: file
ROWS
    run compote run --rm -w relative ok true
    failed 1
    has "service ok: working_dir 'relative' is not an absolute path"
}

@test "without a compose file there is a clear error" {
    rm compose.yml
    run compote up -d
    failed
    has "no configuration file"
}

@test "project names come from -p, COMPOSE_PROJECT_NAME, the file, the folder" {
    compote -p other up -d one
    has_name other-one-1
    compote -p other down --timeout 1
    COMPOSE_PROJECT_NAME=third compote up -d one
    has_name third-one-1
    COMPOSE_PROJECT_NAME=third compote down --timeout 1
}

has_name()
{
    local project=${1%%-*}
    [ "$(compote -p "$project" ps --all --format '{{.Name}}')" = "$1" ]
}
