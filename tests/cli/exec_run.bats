load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    environment: {COLOR: red}
    working_dir: /tmp
  tool:
    image: busybox
    entrypoint: ["echo", "tool"]
    depends_on: [web]
    profiles: [tools]
    ports: ["8090:80"]
YML
    compote up -d
}

with_input()
{
    echo "$1" | compote "${@:2}"
}

@test "exec runs a command in the container and gives its exit code" {
    run -0 compote exec -T web echo hello
    [ "$output" = hello ]
    run compote exec -T web sh -c 'exit 42'
    failed 42
    run -127 compote exec -T web /no/such/program
}

@test "exec has the container's environment, folder and user, and its own" {
    run -0 compote exec -T -e EXTRA=1 web sh -c 'echo $COLOR $EXTRA $(pwd) $(id -u)'
    [ "$output" = "red 1 /tmp 0" ]
    run -0 compote exec -T -u 1000:1000 -w / web sh -c 'echo $(pwd) $(id -u) $(id -g)'
    [ "$output" = "/ 1000 1000" ]
}

@test "exec passes standard input and keeps standard error apart" {
    run -0 with_input through exec -T web cat
    [ "$output" = through ]
    run -0 --separate-stderr compote exec -T web sh -c 'echo out; echo err >&2'
    [ "$output" = out ]
    [ "$stderr" = err ]
}

@test "exec carries megabytes unharmed in both directions" {
    head -c 5000000 /dev/urandom >"$SCRATCH/blob"
    compote exec -T web cat <"$SCRATCH/blob" >"$SCRATCH/back"
    cmp "$SCRATCH/blob" "$SCRATCH/back"
}

@test "exec with a terminal has one in the container" {
    run -0 in_lab script -qec "'$build/src/cli/compote' exec web tty" /dev/null
    has /dev/pts/
}

@test "exec -d returns at once" {
    compote exec -d web sh -c 'sleep 0.1; touch /tmp/done'
    eventually compote exec -T web test -e /tmp/done
}

@test "exec in a service that does not run is an error" {
    compote stop -t 1 web
    run compote exec -T web true
    failed
    has "web" "not running"
}

@test "run starts a container of its own, with its command and exit code, and what it depends on" {
    compote stop -t 1 web
    run -0 --separate-stderr compote run --rm -T tool some words
    [ "$output" = "tool some words" ]
    has_state project-web-1 running
    run compote run --rm -T web sh -c 'exit 9'
    failed 9
}

@test "run --rm leaves nothing; without it the container stays until down --remove-orphans" {
    compote run --rm -T web true
    [ "$(compote ps --all --quiet | wc -l)" = 1 ]
    compote run -T web true
    [ "$(compote ps --all --quiet | wc -l)" = 2 ]
    compote down -t 1 --remove-orphans
    [ -z "$(find "$COMPOTE_ROOT/containers" -mindepth 1 -maxdepth 1)" ]
}

@test "run takes environment, folder, user, entrypoint and volumes from its flags" {
    run -0 --separate-stderr compote run --rm -T -e COLOR=blue -w / -u 5:6 -v "$PWD:/host:ro" --entrypoint sh web -c \
        'echo $COLOR $(pwd) $(id -u):$(id -g) $(ls /host)'
    [ "$output" = "blue / 5:6 compose.yml" ]
}

@test "run publishes no ports unless asked to" {
    run -0 --separate-stderr compote run --rm -T --entrypoint 'sh -c' tool 'echo ok'
    compote run -d --name pub --service-ports --entrypoint 'httpd -f -h /bin' tool
    eventually page http://127.0.0.1:8090/busybox -o /dev/null
}

@test "run -d returns and the container goes on" {
    run -0 --separate-stderr compote run -d --name alone web sleep 100
    eventually has_state alone running
    compote kill web 2>/dev/null || true
}

@test "run passes standard input" {
    run -0 --separate-stderr with_input through run --rm -T web cat
    [ "$output" = through ]
}
