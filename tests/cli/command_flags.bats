load ../lib/harness

# Flags of the commands that look at containers and change them, one by one.

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo one; echo two >&2; while :; do sleep 0.1; done"]
    scale: 2
    ports: ["80", "53/udp"]
    depends_on: [base]
  base: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
}

@test "ps: services, orphans, no-trunc, filter, quiet, and what is no status" {
    compote up -d
    run -0 compote ps --services
    [ "$output" = $'base\nweb' ]
    run -0 compote ps --no-trunc web
    has "while :; do sleep 0.1; done"
    run -0 compote ps web
    has_not "while :;"
    compote pause base
    run -0 compote ps --filter status=paused --format '{{.Name}} {{.Status}}'
    has "project-base-1" "(Paused)"
    has_not web
    run -0 compote ps --status running --status paused -q
    [ "${#lines[@]}" = 3 ]
    run compote ps --filter color=red
    failed 1
    has "unknown filter color"
    run compote ps --status sleeping
    failed 1
    has "sleeping"
    compote unpause base
    sed -i '/^  base:/d; /depends_on/d' compose.yml
    run -0 compote ps --services
    [ "$output" = $'base\nweb' ]
    run -0 compote ps --orphans=false --services
    [ "$output" = web ]
    compote down --remove-orphans
}

@test "logs: index, since, until, and a wrong number" {
    compote up -d
    eventually sh -c '[ "$('"'$build/src/cli/compote'"' logs --no-log-prefix web 2>/dev/null | wc -l)" = 4 ]'
    run -0 --separate-stderr compote logs --index 2 web
    has "web-2  | one" "web-2  | two"
    has_not web-1
    run -0 --separate-stderr compote logs --since 1h --no-log-prefix --tail 1 --index 1 web
    [ "${#lines[@]}" = 1 ]
    run -0 --separate-stderr compote logs --until 1h web
    [ -z "$output" ]
    run compote logs --index 5 web
    failed 1
    run compote logs --index 1
    failed 1
    run compote logs --tail lots
    failed 1
    has "neither a number"
    run compote logs --since tomorrowish
    failed 1
}

@test "port: of each replica and protocol, as the machine has it" {
    compote up -d
    local first second
    first=$(compote port web 80) second=$(compote port --index 2 web 80)
    [[ "$first" =~ ^0\.0\.0\.0:[0-9]+$ && "$second" =~ ^0\.0\.0\.0:[0-9]+$ && "$first" != "$second" ]]
    run -0 compote port --protocol udp web 53
    [[ "$output" =~ ^0\.0\.0\.0:[0-9]+$ ]]
    run compote port --protocol tcp web 53
    failed 1
    has "no port 53/tcp for container project-web-1"
    run compote port --index 3 web 80
    failed 1
    run compote port web eighty
    failed 1
}

@test "kill and stop: signals by name and number, orphans; pause and unpause of some" {
    compote up -d
    compote kill -s SIGTERM web
    eventually has_state project-web-2 exited
    has_state project-base-1 running
    compote start web
    compote kill -s 9 web
    run -0 compote ps -a --format '{{.ExitCode}}' web
    [ "$output" = $'137\n137' ]
    run compote kill -s NOSUCH base
    failed 1
    has "NOSUCH"
    compote stop -t 0 base
    has_state project-base-1 exited
    compote start base
    compote pause base
    has_state project-base-1 paused
    run compote exec -T base true
    failed 1
    compote unpause base
    run compote unpause base
    failed 1
    has "project-base-1" "not paused"
    compote pause
    run compote pause
    failed 1
    has "project-base-1" "paused already"
    compote unpause
    has_state project-base-1 running
}

@test "rm: volumes, one service, nothing to do, and no while something runs" {
    cat >>compose.yml <<'YML'
  data: {image: busybox, command: ["true"], volumes: ["/anonymous"]}
YML
    compote up -d data
    eventually has_state project-data-1 exited
    [ "$(ls "$COMPOTE_ROOT/volumes" | wc -l)" = 1 ]
    compote rm -f -v data
    [ -z "$(ls "$COMPOTE_ROOT/volumes")" ]
    run -0 compote rm -f
    has "No stopped containers"
    run compote rm nosuch
    failed 1
    has "no such service: nosuch"
}

@test "restart and start: timeout, without dependents, and waiting" {
    compote up -d
    local web base
    web=$(pid_of web) base=$(pid_of base)
    compote restart -t 0 --no-deps base
    [ "$(pid_of web)" = "$web" ]
    [ "$(pid_of base)" != "$base" ]
    compote stop -t 0
    compote start --wait --wait-timeout 20
    has_state project-web-2 running
    compose_file <<'YML'
services:
  never: {image: busybox, command: ["sleep", "infinity"], init: true, healthcheck: {test: "false", interval: 100ms, retries: 100}}
YML
    compote down --remove-orphans -t 0
    compote create
    run compote start --wait --wait-timeout 1
    failed 1
}

@test "scale without what it depends on" {
    compote scale --no-deps web=1
    [ "$(compote ps --services)" = web ]
    compote scale web=3 base=1
    [ "$(compote ps -q | wc -l)" = 4 ]
    run compote scale nosuch=1
    failed 1
    run compote scale web
    failed 1
    compote scale web=0
    [ "$(compote ps -a --services)" = base ]
}

@test "wait: several services, the last one's code, and dropping the project" {
    compose_file <<'YML'
services:
  a: {image: busybox, command: ["sh", "-c", "sleep 0.2; exit 3"]}
  b: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
    compote up -d
    run compote wait --down-project a
    failed 3
    has "exited with status code 3"
    [ -z "$(compote ps -aq)" ]
    run compote wait a
    failed 1
}

@test "images, ls and version: formats and filters" {
    compote up -d
    run -0 compote images -q
    [[ "${#lines[@]}" = 1 && "$output" =~ ^[0-9a-f]{64}$ ]]
    run -0 compote images --format json web
    [ "$(jq length <<<"$output")" = 2 ]
    [ "$(jq -r '.[0] | .Repository + ":" + .Tag + " " + .ContainerName' <<<"$output")" = "busybox:latest project-web-1" ]
    run -0 compote ls -q --filter name=proj
    [ "$output" = project ]
    run -0 compote ls -q --filter name=other
    [ -z "$output" ]
    run compote ls --filter color=red
    failed 1
    run compote ls --format yaml
    failed 1
    run -0 compote version --short
    [[ "$output" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
    run -0 compote version -f json
    [[ "$(jq -r .version <<<"$output")" =~ ^v[0-9.]+$ ]]
}

@test "top: of some services, and of none" {
    compote up -d
    run -0 compote top base
    has SERVICE PID CMD "sleep infinity"
    has_not web
    compote stop -t 0
    run -0 compote top
    [ -z "$output" ]
}
