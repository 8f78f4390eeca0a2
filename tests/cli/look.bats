# The commands that look and change nothing.
load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo first; echo second >&2; exec httpd -f -h /bin"]
    init: true
    ports: ["8090:80", "127.0.0.1:8091:81/udp"]
  gone:
    image: busybox:1.35
    command: ["sh", "-c", "echo bye; exit 3"]
YML
    compote up -d
    eventually has_state project-gone-1 exited
}

@test "ps shows what runs; -a also what ended, with its code" {
    run -0 compote ps
    has NAME project-web-1 "0.0.0.0:8090->80/tcp" "127.0.0.1:8091->81/udp" Up
    has_not project-gone-1
    run -0 compote ps -a
    has "Exited (3)"
}

@test "a container that has ended publishes no ports" {
    compote stop -t 1 web
    run -0 compote ps -a web
    has project-web-1
    has_not 8090
    run -0 compote ps -a --format '{{.Ports}}' web
    [ -z "$output" ]
}

@test "ps filters by status and service, and prints JSON and templates" {
    run -0 compote ps -a --status exited --services
    [ "$output" = gone ]
    run -0 compote ps -q web
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    run -0 compote ps -a --format json
    [ "$(jq -r 'select(.Service == "gone") | .ExitCode' <<<"$output")" = 3 ]
    [ "$(jq -r 'select(.Service == "web") | .State' <<<"$output")" = running ]
    run -0 compote ps --format '{{.Service}}={{.State}}'
    [ "$output" = web=running ]
    run compote ps nosuch
    failed
    has "no such service: nosuch"
}

@test "logs have both streams, prefixes, tail and timestamps" {
    run -0 --separate-stderr compote logs
    has "web-1" "| first" "| second" "| bye"
    run -0 --separate-stderr compote logs --no-log-prefix gone
    [ "$output" = bye ]
    run -0 --separate-stderr compote logs --no-log-prefix --tail 1 web
    [ "$output" = second ]
    run -0 --separate-stderr compote logs --no-log-prefix -t gone
    [[ $output =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z\ bye$ ]]
}

@test "logs -f follows, and ends with the container" {
    compote logs -f --no-log-prefix web >"$SCRATCH/out" 2>&1 3>&- &
    local pid=$!
    eventually grep -q second "$SCRATCH/out"
    compote stop -t 1 web
    wait $pid
}

@test "top lists the processes" {
    run -0 compote top
    has PID "httpd -f -h /bin"
}

@test "port prints the published address" {
    run -0 compote port web 80
    [ "$output" = 0.0.0.0:8090 ]
    run -0 compote port --protocol udp web 81
    [ "$output" = 127.0.0.1:8091 ]
    run compote port web 99
    failed
}

@test "images lists them with tags and sizes" {
    run -0 compote images
    has project-web-1 busybox latest project-gone-1 1.35
    run -0 compote images --format json
    jq -e . <<<"$output"
}

@test "ls lists projects" {
    run -0 compote ls
    has project "running(1)" "$PWD/compose.yml"
    run -0 compote ls --all --format json
    [ "$(jq -r '.[0].Name' <<<"$output")" = project ]
    compote stop -t 1
    run -0 compote ls
    has_not project
    run -0 compote ls --all
    has "exited(2)"
}

@test "config prints the whole model, and only what is asked for" {
    run -0 compote config
    has "name: project" "image: busybox" "published: \"8090\""
    run -0 compote config --services
    [ "$(sort <<<"$output")" = $'gone\nweb' ]
    run -0 compote config --images
    [ "$(sort <<<"$output")" = $'busybox\nbusybox:1.35' ]
    run -0 compote config -q
    [ -z "$output" ]
    run -0 compote config --format json
    jq -e '.services.web.ports[0].target == 80' <<<"$output"
}

@test "config names the place of a mistake" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    ports: ["80:x"]
YML
    run compote config
    failed
    has compose.yml:4 "'x'"
    compose_file <<'YML'
services:
  web: {image: busybox, imagine: 1}
YML
    run compote config
    failed
    has compose.yml:2 imagine
    # What runs can be ended without a valid file.
    rm compose.yml
    compote -p project down -t 1
}

@test "doctor looks at the machine" {
    run compote doctor
    has overlay cgroup crun
}

@test "unknown commands and flags end with a hint and a code" {
    run compote upp
    failed
    has upp
    run compote up --nosuchflag
    failed
    has --nosuchflag
    run -0 compote --help
    has Usage up down
    run -0 compote up --help
    has --detach
}
