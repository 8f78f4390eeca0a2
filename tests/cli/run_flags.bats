load ../lib/harness

# Flags of run and exec that exec_run.bats leaves, one by one.

prepare()
{
    compose_file <<'YML'
services:
  base: {image: busybox, command: ["sleep", "infinity"], init: true}
  tool:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    environment: {COLOR: red}
    depends_on: [base]
    ports: ["8090:80"]
    networks: {default: {aliases: [helper]}}
networks: {default: }
YML
}

@test "run: variables from files, which give way to -e; a bare name takes ours" {
    printf 'COLOR=file\nSIZE="from file"\nBOTH=${COLOR}-${SIZE}\n' >one.env
    printf 'SIZE=second\nMORE=second\n' >two.env
    run -0 --separate-stderr in_lab env OURS=here "$build/src/cli/compote" run --rm -T --no-deps -e COLOR=flag -e OURS --env-from-file one.env \
        --env-from-file two.env tool sh -c 'echo $COLOR,$SIZE,$BOTH,$MORE,$OURS'
    [ "$output" = "flag,from file,flag-from file,second,here" ]
    run compote run --rm -T --env-from-file none.env tool true
    failed 1
    has "couldn't find env file: none.env"
}

@test "run: name, labels, capabilities, and no dependencies" {
    compote run -d --no-deps --name named -l com.example.a=b -l com.example.c --cap-drop ALL --cap-add NET_ADMIN tool
    has_state named running
    [ "$(compote ps --services)" = "" ]
    run -0 compote ps -a --format '{{.Name}} {{.Label "com.example.a"}} {{.Label "com.docker.compose.oneoff"}}'
    [ "$output" = "named b True" ]
    run compote run -d --no-deps --name named tool
    failed 1
    has "named"
    run -0 --separate-stderr compote run --rm -T --no-deps --cap-drop ALL --cap-add NET_ADMIN tool grep CapEff /proc/self/status
    [ "$output" = $'CapEff:\t0000000000001000' ]
}

@test "run: the service's aliases are its own unless it is told to use them" {
    compote run -d --name plain tool
    run compote exec -T base nslookup helper
    failed
    compote run -d --name aliased --use-aliases tool
    run -0 compote exec -T base ping -c 1 helper
}

@test "run: ports of its own, or the service's, not both" {
    compote run -d --no-deps --name ported -p 8091:81 --entrypoint 'httpd -f -p 81 -h /bin' tool
    eventually page http://127.0.0.1:8091/busybox -o /dev/null
    run compote run --rm -P -p 8092:80 tool true
    failed 1
    has "incompatible"
}

@test "run: quiet, orphans, pull, and what is not there" {
    compote run -T --no-deps --rm tool true
    run -0 compote run -T --rm --no-deps -q tool echo only
    [ "$output" = only ]
    compote up -d base
    sed -i '/^  base:/d; /depends_on/d' compose.yml
    compote run -T --rm --remove-orphans tool true
    [ -z "$(state_of project-base-1)" ]
    run compote run --rm -T nosuch true
    failed 1
    has "no such service: nosuch"
    run compote run --rm -T --pull sometimes tool true
    failed 1
    run -127 compote run --rm -T --no-deps tool /no/such
}

signal_of_run()
{
    local signal=$1
    nsenter --net="/proc/$LAB_PID/ns/net" "$build/src/cli/compote" run --rm -T --no-deps --name signalled tool \
        sh -c 'trap "exit 41" TERM; trap "exit 42" USR1; echo ready; while :; do sleep 0.05; done' >out 2>/dev/null 3>&- &
    local pid=$! status=0
    eventually grep -q ready out
    kill "-$signal" $pid
    wait $pid || status=$?
    echo $status
}

@test "run passes signals on, and ends as its process does" {
    [ "$(signal_of_run TERM)" = 41 ]
    [ "$(signal_of_run USR1)" = 42 ]
    run compote run --rm -T --no-deps tool sh -c 'kill -9 $$'
    failed 137
    [ -z "$(compote ps -aq)" ]
}

@test "run and exec: input that ends, that nobody reads, and that is none" {
    compote up -d tool
    run -0 bash -c "yes | '$build/src/cli/compote' exec -T tool head -n 1"
    [ "$output" = y ]
    run -0 bash -c "yes | '$build/src/cli/compote' run --rm -T --no-deps tool head -n 1 2>/dev/null"
    [ "$output" = y ]
    run -0 --separate-stderr compote run --rm -T --no-deps -i=false tool cat
    [ -z "$output" ]
    run -0 compote exec -T -i=false tool cat
    [ -z "$output" ]
}

@test "exec: replicas, privileges, and wrong places" {
    compote up -d --scale tool=1
    run -0 compote exec -T --index 1 tool hostname
    run compote exec -T --index 2 tool true
    failed 1
    has "no container with index 2"
    run -0 compote exec -T --privileged tool grep CapEff /proc/self/status
    has_not 00000000a80425fb
    run -126 compote exec -T tool /etc
    run compote exec -T -w /no/such tool pwd
    failed
    run compote exec -T -u nobody-here tool id
    failed 1
    has "nobody-here"
}
