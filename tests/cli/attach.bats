load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  echo:
    image: busybox
    stdin_open: true
    command: ["sh", "-c", "echo before; while read -r line; do echo \"got $$line\"; [ \"$$line\" != end ] || exit 7; done"]
  term:
    image: busybox
    stdin_open: true
    tty: true
    command: ["sh", "-c", "trap 'echo signalled; exit 8' USR1; while :; do read -r line && echo \"got $$line\"; done"]
  quiet: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
    compote up -d
}

# typing STEPS ARG...: compote on a terminal (tests/lib/typist.py).
typing()
{
    in_lab "$top/tests/lib/typist.py" "$1" "$build/src/cli/compote" "${@:2}"
}

@test "attach joins the streams from now on and gives the exit code" {
    run -7 bash -c "printf 'one\nend\n' | '$build/src/cli/compote' attach echo"
    [ "$output" = $'got one\ngot end' ]
    run compote attach echo
    failed 1
    has 'service "echo" is not running'
    run compote attach --index 3 quiet
    failed 1
}

@test "attach with a terminal: keys leave, and the container runs on" {
    run -0 typing '+hello\r ?got.hello +\x10x\x10\x11' attach term
    has_state project-term-1 running
    run -0 typing '+\x10x\r ?got.*x +\x01d' attach --detach-keys ctrl-a,d term
    has_state project-term-1 running
    run compote attach --detach-keys ctrl-,x term
    failed 1
    has "invalid detach keys"
    run in_lab bash -c "'$build/src/cli/compote' attach term </dev/null"
    failed 1
    has "not a TTY"
}

is_attached()
{
    ls -l "/proc/$attached/fd" | grep -q socket
}

follow_output()
{
    nsenter --net="/proc/$LAB_PID/ns/net" "$build/src/cli/compote" attach "$@" >attached 2>&1 </dev/null 3>&- &
    attached=$!
    eventually is_attached
}

@test "attach passes signals on, or keeps them to itself" {
    follow_output --no-stdin term
    eventually sh -c "kill -USR1 $attached; grep -q signalled attached"
    wait "$attached" || [ $? = 8 ]
    eventually has_state project-term-1 exited
    follow_output --no-stdin --sig-proxy=false quiet
    kill -INT "$attached" || true
    kill "$attached" || true
    wait "$attached" || true
    has_state project-quiet-1 running
}

@test "exec with a terminal loses nothing of a command that ends at once" {
    local i
    for i in 1 2 3 4 5 6 7 8 9 10; do
        run -0 typing '' exec quiet sh -c 'seq 1 3000; echo last words'
        has $'\n3000\r\nlast words'
        [ "$(grep -c '^[0-9]*.$' <<<"$output")" = 3000 ]
    done
}

@test "exec with a terminal: input, size, exit code, and none of it with -T" {
    run -5 in_lab "$top/tests/lib/typist.py" -s 33x99 '?ready +typed\r ?got.typed' "$build/src/cli/compote" \
        exec quiet sh -c 'stty size; tty; echo ready; read -r x; echo got $x; exit 5'
    has "33 99" /dev/pts/
    run -1 typing '' exec -T quiet tty
    has "not a tty"
    run -127 typing '' exec quiet /no/such
    run -0 typing '?rea.y +\x03 ?stopped' exec quiet sh -c 'trap "echo stopped; exit 0" INT; echo ready; while :; do sleep 0.1; done'
}

@test "exec gives the terminal back as it was" {
    cat >session <<SH
before=\$(stty -g)
'$build/src/cli/compote' exec quiet true
[ "\$before" = "\$(stty -g)" ] && echo same
SH
    run -0 in_lab "$top/tests/lib/typist.py" '?same' sh session
}
