# Health, dependencies on it, and restarts.
load ../lib/harness

@test "a dependency that turns out unhealthy stops up with a clear error" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    depends_on: {db: {condition: service_healthy}}
  db:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    healthcheck: {test: ["CMD", "false"], interval: 100ms, retries: 2}
YML
    run compote up -d
    failed
    has "dependency failed to start" project-db-1 unhealthy
    ! has_state project-web-1 running
}

@test "service_completed_successfully waits for the end, and minds the code" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["cat", "/shared/made"]
    volumes: ["shared:/shared"]
    depends_on: {prepare: {condition: service_completed_successfully}}
  prepare:
    image: busybox
    command: ["sh", "-c", "sleep 0.3; echo made > /shared/made; exit ${CODE:-0}"]
    volumes: ["shared:/shared"]
volumes: {shared: {}}
YML
    compote up -d
    eventually has_state project-web-1 exited
    run -0 --separate-stderr compote logs --no-log-prefix web
    [ "$output" = made ]
    compote down -v
    CODE=6 run compote up -d
    failed
    has project-prepare-1 "exit 6"
}

@test "a container that dies is restarted, one that ends well by on-failure is not" {
    compose_file <<'YML'
services:
  always: {image: busybox, command: ["sleep", "infinity"], restart: always}
  failing: {image: busybox, command: ["sh", "-c", "echo try; exit 1"], restart: "on-failure:2"}
  fine: {image: busybox, command: ["sh", "-c", "echo once"], restart: on-failure}
YML
    compote up -d
    eventually has_state project-always-1 running
    local before
    before=$(pid_of always)
    kill -9 "$before"
    eventually is_restarted always "$before"
    eventually has_state project-failing-1 exited
    [ "$(compote logs --no-log-prefix failing | grep -c try)" = 3 ]
    [ "$(compote logs --no-log-prefix fine | grep -c once)" = 1 ]
}

is_restarted()
{
    local now
    now=$(pid_of "$1")
    [ -n "$now" ] && [ "$now" != "$2" ]
}

@test "stop is not undone by the restart policy" {
    compose_file <<'YML'
services:
  always: {image: busybox, command: ["sleep", "infinity"], restart: always, init: true}
YML
    compote up -d
    compote stop -t 1
    has_state project-always-1 exited
    compote up -d
    has_state project-always-1 running
}

@test "health goes from starting to healthy to unhealthy and back" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    healthcheck: {test: "test -e /tmp/well", interval: 100ms, retries: 2, start_period: 30s, start_interval: 100ms}
YML
    compote up -d
    has_health project-web-1 starting
    compote exec -T web touch /tmp/well
    eventually has_health project-web-1 healthy
    compote exec -T web rm /tmp/well
    eventually has_health project-web-1 unhealthy
    compote exec -T web touch /tmp/well
    eventually has_health project-web-1 healthy
}

@test "the image's own health check counts" {
    compose_file <<'YML'
services:
  many: {image: layers}
YML
    compote up -d --wait
    has_health project-many-1 healthy
}
