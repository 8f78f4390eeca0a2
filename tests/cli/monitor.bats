load ../lib/ctr

monitor()
{
    field "$1" monitor_pid
}

# Kills the monitor of a container, and waits until it is gone.
kill_monitor()
{
    local pid
    pid=$(monitor "$1")
    kill -9 "$pid"
    while [ -d "/proc/$pid" ] && ! grep -q '^State:.[ZX]' "/proc/$pid/status"; do :; done 2>/dev/null
}

counter='i=0; trap "echo end; exit 5" TERM; while :; do i=$((i+1)); echo $i; sleep 0.02; done'

@test "a killed monitor takes neither container nor output along; the next one goes on" {
    create 0000000001 '{}' sh -c "$counter"
    ctr start 0000000001
    pid=$(field 0000000001 pid)
    kill_monitor 0000000001
    sleep 0.2
    [ "$(field 0000000001 state)" = running ]
    [ "$(field 0000000001 pid)" = "$pid" ]
    old=$(monitor 0000000001)
    ctr adopt 0000000001
    [ "$(field 0000000001 pid)" = "$pid" ]
    [ "$(monitor 0000000001)" != "$old" ]
    ctr stop 0000000001
    # The exit code of a process that is not the monitor's child is either known or said to be unknown.
    wait_for 0000000001 state=exited
    [[ $(field 0000000001 exit_code) == 5 || $(field 0000000001 exit_code) == -1 ]]
    # No number is missing.
    [ "$(log 0000000001 | grep -v end)" = "$(seq "$(log 0000000001 | grep -vc end)")" ]
    [ "$(log 0000000001 | tail -1)" = end ]
}

@test "an adopted container is restarted by its policy" {
    mkdir -p "$work/volume/inside"
    create 0000000001 '{"restart":1,"mounts":[{"type":1,"source":"'"$work/volume"'","subpath":"inside","target":"/v"}]}' \
        sh -c 'echo run; echo x >>/count; echo x >>/v/count; exec sleep 1000'
    ctr start 0000000001
    kill_monitor 0000000001
    ctr adopt 0000000001
    # Not a kill by the user: the process ends by itself, seen from the monitor.
    kill -9 "$(field 0000000001 pid)"
    wait_for 0000000001 state=running restart_count=1
    until [ "$(log 0000000001 | grep -c run)" = 2 ]; do :; done
    [ "$(ctr exec 0000000001 -- cat /count | wc -l)" = 2 ]
    [ "$(wc -l <"$work/volume/inside/count")" = 2 ]
}

@test "adopting is for lost monitors only" {
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    old=$(monitor 0000000001)
    ctr adopt 0000000001
    [ "$(monitor 0000000001)" = "$old" ]
}

@test "a container without a monitor can be stopped" {
    create 0000000001 '{}' sh -c "$counter"
    ctr start 0000000001
    kill_monitor 0000000001
    ctr stop 0000000001
    wait_for 0000000001 state=exited
}

@test "a container without a monitor can be started: it is the same one" {
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    pid=$(field 0000000001 pid)
    kill_monitor 0000000001
    ctr start 0000000001
    [ "$(field 0000000001 pid)" = "$pid" ]
    kill -0 "$(monitor 0000000001)"
}

@test "monitor and container killed: dead with an unknown exit code, and it starts again" {
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    pid=$(field 0000000001 pid)
    kill_monitor 0000000001
    kill -9 "$pid"
    wait_for 0000000001 state=dead exit_code=-1
    ctr start 0000000001
    [ "$(field 0000000001 state)" = running ]
    [ "$(field 0000000001 pid)" != "$pid" ]
}

@test "a watcher is told when the monitor and the container are killed" {
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    pid=$(field 0000000001 pid)
    "$build/tests/ctr" wait 0000000001 state=dead 3>&- &
    waiter=$!
    kill -9 "$pid" "$(monitor 0000000001)" || true
    for i in $(seq 100); do kill -0 $waiter 2>/dev/null || break; sleep 0.05; done
    state=$(field 0000000001 state)
    [[ $state == dead || $state == exited ]]
    kill $waiter 2>/dev/null || wait $waiter
}

@test "a monitor killed at any moment of a start leaves what the next start mends" {
    create 0000000001 '{}' sleep 1000
    for ms in 1 3 5 8 11 14 17 20 25 30 40; do
        ctr start 0000000001 &
        starter=$!
        sleep "$(printf '0.%03d' $ms)"
        pkill -9 -f "compote-monitor start $CTR_ROOT/" || true
        wait $starter || true
        ctr start 0000000001
        [ "$(field 0000000001 state)" = running ]
        [ "$(ctr pids 0000000001 | wc -l)" = 1 ]
        ctr stop 0000000001 0
        wait_for 0000000001 pid=0
    done
}

@test "a removal ends everything, whatever state it finds" {
    create 0000000001 '{}' sh -c 'sleep 1000 & sleep 1000'
    ctr start 0000000001
    kill_monitor 0000000001
    ctr remove 0000000001
    ctr remove 0000000001
    create 0000000002 '{"restart":1}' false
    ctr start 0000000002
    wait_for 0000000002 state=restarting
    ctr remove 0000000002
    create 0000000003 '{}' sleep 1000
    ctr start 0000000003
    ctr pause 0000000003
    kill_monitor 0000000003
    ctr remove 0000000003
    [ -z "$(find "$CTR_RUN/containers" "$CTR_ROOT/containers" -mindepth 1)" ]
    [ -z "$(find /sys/fs/cgroup -type d -path "*$CTR_CGROUP*")" ]
}

@test "signals to the monitor reach the container" {
    create 0000000001 '{}' sh -c "$counter"
    ctr start 0000000001
    until log 0000000001 | grep -q 1; do :; done
    kill -TERM "$(monitor 0000000001)"
    wait_for 0000000001 state=exited exit_code=5
}

@test "a client that does not read holds up nobody for long" {
    create 0000000001 '{}' sh -c 'i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo "a line of some length, the number of which is $i"; done'
    mkfifo "$work/pipe"
    exec 8<>"$work/pipe"
    create 0000000002 '{}' true
    ctr start 0000000001
    "$build/tests/ctr" attach 0000000001 >"$work/pipe" 3>&- </dev/null &
    client=$!
    wait_for 0000000001 state=exited exit_code=0
    [ "$(log 0000000001 | wc -l)" = 40000 ]
    kill $client 2>/dev/null || true
    exec 8>&-
}

@test "a monitor is small, and sleeps when nothing happens" {
    ldd "$build/src/monitor/compote-monitor" >/dev/null 2>&1 && skip "a debug build is linked dynamically"
    for i in 1 2 3 4 5 6 7 8 9 a b c; do
        create "000000000$i" '{}' sh -c 'echo hello; exec sleep 1000'
        ctr start "000000000$i"
    done
    for i in 1 6 c; do
        pid=$(monitor "000000000$i")
        [ "$(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup")" -le 512 ]
    done
    before=$(awk '/^voluntary/ {print $2}' "/proc/$pid/status")
    sleep 1
    [ "$(awk '/^voluntary/ {print $2}' "/proc/$pid/status")" = "$before" ]
}

@test "messages that make no sense do no harm" {
    create 0000000001 '{"stdin_open":true}' sh -c 'read line; echo "got $line"; exit 3'
    ctr start 0000000001
    pid=$(monitor 0000000001)
    ctr garbage 0000000001 500
    [ "$(monitor 0000000001)" = "$pid" ]
    [ "$(field 0000000001 state)" = running ]
    run -3 bash -c "echo sense | '$build/tests/ctr' attach 0000000001"
    [[ $output == *"got sense"* ]]
}

@test "a prompt that was printed before the attach is shown" {
    create 0000000001 '{"stdin_open":true,"log_driver":"none"}' sh -c 'printf "name? "; read line; echo "hello $line"'
    ctr start 0000000001
    until ctr exec 0000000001 -- grep -q '^State:.S' /proc/1/status; do :; done
    run -0 bash -c "echo you | '$build/tests/ctr' attach 0000000001"
    [ "$output" = "name? hello you" ]
}

@test "after an unclean boot what the container wrote is thrown away, else kept" {
    create 0000000001 '{}' sh -c 'cat /state; echo x >/state'
    ctr start 0000000001
    wait_for 0000000001 state=exited
    dir=$CTR_ROOT/containers/0000000001
    [ -e "$dir/work/work/incompat/volatile" ]
    ctr start 0000000001
    wait_for 0000000001 state=exited exit_code=0
    [ "$(log 0000000001 | tail -1)" = x ]
    echo another-boot >"$dir/boot"
    rm -rf "$CTR_RUN/containers/0000000001"
    ctr start 0000000001
    wait_for 0000000001 state=exited
    [[ $(log 0000000001 | tail -1) == *"No such file"* ]]
}

@test "after a reboot a container that ran is dead, one that ended has its exit code" {
    create 0000000001 '{}' sh -c 'exit 4'
    ctr start 0000000001
    wait_for 0000000001 state=exited
    create 0000000002 '{}' sleep 1000
    ctr start 0000000002
    kill -9 "$(monitor 0000000002)" "$(field 0000000002 pid)"
    rm -rf "$CTR_RUN/containers"/*
    [ "$(field 0000000001 state)" = exited ]
    [ "$(field 0000000001 exit_code)" = 4 ]
    [ "$(field 0000000002 state)" = dead ]
    ctr start 0000000002
    [ "$(field 0000000002 state)" = running ]
}
