load ../lib/ctr

@test "the exit code is the command's, 128 + the signal, 126 or 127" {
    run -3 run_to_end 0000000001 '{}' sh -c 'echo out; exit 3'
    [ "$output" = out ]
    run -143 run_to_end 0000000002 '{"init":true}' sh -c 'kill -TERM $$'
    create 0000000003 '{}' /bin/no-such-command
    run -1 ctr start 0000000003
    [[ $output == *no-such-command* ]]
    [ "$(field 0000000003 exit_code)" = 127 ]
    [ "$(field 0000000003 state)" = created ]
    create 0000000004 '{}' /etc/passwd
    run -1 ctr start 0000000004
    [ "$(field 0000000004 exit_code)" = 126 ]
    [[ $output == *"command '/etc/passwd'"* ]]
    printf '#!/no/interpreter\n' >"$layer/bin/script"
    printf 'garbage' >"$layer/bin/garbage"
    chmod 755 "$layer/bin/script" "$layer/bin/garbage"
    run -127 run_to_end 0000000005 '{}' /bin/script
    run -126 run_to_end 0000000006 '{}' /bin/garbage
    run -1 run_to_end 0000000007 '{}' sh -c 'echo words >&2; echo exec container process x: Exec format error >&2; exit 1'
    # Trouble that has nothing to do with the command is not its fault.
    create 0000000008 '{"mounts":[{"type":0,"source":"/no/such/source","target":"/x"}]}' true
    run -1 ctr start 0000000008
    [ "$(field 0000000008 exit_code)" = -1 ]
}

@test "a process killed from outside has 137" {
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    ctr kill 0000000001 9
    wait_for 0000000001 state=exited exit_code=137
}

@test "starting a container that runs does nothing" {
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    pid=$(field 0000000001 pid)
    ctr start 0000000001
    [ "$(field 0000000001 pid)" = "$pid" ]
}

@test "starts at the same time make one container" {
    create 0000000001 '{}' sleep 1000
    pids=()
    for i in 1 2 3 4; do ctr start 0000000001 & pids+=($!); done
    for p in "${pids[@]}"; do wait "$p"; done
    [ "$(ctr pids 0000000001 | wc -l)" = 1 ]
}

@test "what is written right before the end is never lost" {
    create 0000000001 '{}' sh -c 'echo last words'
    ctr bench 0000000001 200 >/dev/null
    [ "$(log 0000000001 | sort | uniq -c)" = "    200 last words" ]
}

@test "log records have stream and time; long lines are cut, bad UTF-8 is replaced" {
    run -0 run_to_end 0000000001 '{}' sh -c 'echo one; echo two >&2; printf "a\377b\t\"\n"; head -c 20000 /dev/zero | tr "\0" x; echo; printf end'
    file=$CTR_ROOT/containers/0000000001/log/container.log
    jq -e . "$file" >/dev/null
    [ "$(jq -s '[.[] | select(.stream == "stderr")] | length' "$file")" = 1 ]
    [ "$(jq -rs '[.[] | select(.log | startswith("a"))][0].log' "$file")" = $'a\xef\xbf\xbdb\t"' ]
    [ "$(jq -s '[.[] | select(.log | startswith("x")) | .log | length] | tojson' "$file")" = '"[16384,3617]"' ]
    [ "$(jq -rs '.[-1].log' "$file")" = end ]
    jq -e 'select(.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{9}Z$") | not)' "$file" && false
    [ -n "$(find "$file" -perm 640)" ]
}

@test "the log is rotated by size, and no more files than wanted are kept" {
    run_to_end 0000000001 '{"log_max_size":10000,"log_max_file":3}' sh -c 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done' >/dev/null
    cd "$CTR_ROOT/containers/0000000001/log"
    [ "$(ls | tr '\n' ' ')" = "container.log container.log.1 container.log.2 " ]
    for file in *; do [ "$(stat -c %s "$file")" -le 10000 ]; done
    cat container.log.2 container.log.1 container.log | jq -rj .log >"$work/all"
    [ "$(tail -1 "$work/all")" = "line 1999" ]
    # Nothing is missing in between.
    first=$(head -1 "$work/all" | cut -d' ' -f2)
    [ "$(wc -l <"$work/all")" = $((2000 - first)) ]
}

@test "log driver none writes nothing" {
    create 0000000001 '{"log_driver":"none"}' echo hello
    ctr start 0000000001
    wait_for 0000000001 state=exited
    [ -z "$(ls "$CTR_ROOT/containers/0000000001/log")" ]
}

@test "restart always comes back with growing delays until it is stopped" {
    create 0000000001 '{"restart":1}' sh -c 'echo run; exit 0'
    ctr start 0000000001
    wait_for 0000000001 restart_count=3 state=restarting
    ctr stop 0000000001
    wait_for 0000000001 state=exited
    [ "$(log 0000000001 | grep -c run)" = 4 ]
    # The third delay is at least 400 ms: it doubles from 100.
    mapfile -t at < <(jq -r '.time | sub("\\.[0-9]*Z"; "Z") | fromdate' "$CTR_ROOT/containers/0000000001/log/container.log")
    [ ${#at[@]} = 4 ]
}

@test "restart on-failure counts, and leaves a success alone" {
    create 0000000001 '{"restart":2,"restart_max":2}' sh -c 'exit 9'
    ctr start 0000000001
    wait_for 0000000001 state=exited exit_code=9 restart_count=2
    create 0000000002 '{"restart":2}' true
    ctr start 0000000002
    wait_for 0000000002 state=exited exit_code=0 restart_count=0
}

@test "a killed container is not restarted" {
    create 0000000001 '{"restart":1}' sleep 1000
    ctr start 0000000001
    ctr kill 0000000001 9
    wait_for 0000000001 state=exited exit_code=137 restart_count=0
}

@test "stop sends the stop signal and kills after the grace" {
    create 0000000001 '{"stop_signal":"SIGUSR1"}' sh -c 'trap "exit 42" USR1; echo up; while :; do sleep 0.05; done'
    ctr start 0000000001
    until log 0000000001 | grep -q up; do :; done
    ctr stop 0000000001
    wait_for 0000000001 state=exited exit_code=42
    create 0000000002 '{}' sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done'
    ctr start 0000000002
    until log 0000000002 | grep -q up; do :; done
    ctr stop 0000000002 100
    wait_for 0000000002 state=exited exit_code=137
    ctr stop 0000000002
}

@test "pause stops everything, and a stop ends a paused container" {
    create 0000000001 '{}' sh -c 'trap "exit 5" TERM; while :; do sleep 0.05; done'
    ctr start 0000000001
    ctr pause 0000000001
    [ "$(field 0000000001 state)" = paused ]
    run -1 ctr pause 0000000001
    ctr unpause 0000000001
    [ "$(field 0000000001 state)" = running ]
    ctr pause 0000000001
    ctr stop 0000000001
    wait_for 0000000001 state=exited exit_code=5
}

@test "health goes from starting to unhealthy to healthy" {
    create 0000000001 '{"healthcheck":{"test":["CMD-SHELL","echo said; test -e /tmp/ok"],"interval":100000000,"timeout":5000000000,"retries":2,"start_period":-1,"start_interval":-1}}' sleep 1000
    ctr start 0000000001
    [ "$(field 0000000001 health)" = starting ]
    wait_for 0000000001 health=unhealthy
    [ "$(field 0000000001 error)" = 'said\n' ]
    ctr exec 0000000001 -- touch /tmp/ok
    wait_for 0000000001 health=healthy
}

@test "failures in the start period do not count, and a success ends it" {
    create 0000000001 '{"healthcheck":{"test":["CMD-SHELL","echo x >>/tmp/n; test -e /tmp/ok"],"interval":100000000,"timeout":5000000000,"retries":1,"start_period":60000000000,"start_interval":50000000}}' sleep 1000
    ctr start 0000000001
    until [ "$(ctr exec 0000000001 -- sh -c 'wc -l </tmp/n' || echo 0)" -ge 4 ]; do :; done
    [ "$(field 0000000001 health)" = starting ]
    ctr exec 0000000001 -- touch /tmp/ok
    wait_for 0000000001 health=healthy
    ctr exec 0000000001 -- rm /tmp/ok
    wait_for 0000000001 health=unhealthy
}

@test "a probe that takes too long is killed and counts" {
    create 0000000001 '{"healthcheck":{"test":["CMD","sleep","999"],"interval":50000000,"timeout":100000000,"retries":1,"start_period":-1,"start_interval":-1}}' sleep 1000
    ctr start 0000000001
    wait_for 0000000001 health=unhealthy
    [[ $(field 0000000001 error) == *timeout* ]]
    ctr stop 0000000001 0
    wait_for 0000000001 state=exited
}

@test "attach carries input and output whole" {
    create 0000000001 '{"stdin_open":true}' sh -c 'cat; echo done >&2; exit 6'
    ctr start 0000000001
    head -c 3000000 /dev/urandom >"$work/in"
    run -6 bash -c "'$build/tests/ctr' attach 0000000001 <'$work/in' >'$work/out' 2>'$work/err'"
    cmp "$work/in" "$work/out"
    [ "$(cat "$work/err")" = done ]
}

@test "a terminal: input, output, end" {
    create 0000000001 '{"stdin_open":true,"tty":true}' sh -c 'tty; read line; echo "got $line"; exit 4'
    ctr start 0000000001
    run -4 bash -c "echo hello | '$build/tests/ctr' attach 0000000001"
    [[ $output == *"got hello"* ]]
    [[ $(log 0000000001) == /dev/pts/0* ]]
}

@test "users and groups come from the image" {
    run -0 run_to_end 0000000001 '{"user":"web"}' sh -c 'id; echo $HOME'
    [[ $output == *"uid=1000(web) gid=1001(web) groups=1001(web),1002(extra)"*"/home/web" ]]
    run -0 run_to_end 0000000002 '{"user":"12345:video","group_add":["7"],"cwd":"/new/place"}' sh -c 'id; pwd'
    [[ $output == *"uid=12345 gid=44(video) groups=7,44(video)"*"/new/place" ]]
    for user in 4294967295 4294967296 99999999999999999999 nobody-here root:nogroup-here -1 0x0; do
        create 0000000003 "{\"user\":\"$user\"}" id
        run -1 ctr start 0000000003
        ctr remove 0000000003
    done
}

@test "a hostile image cannot lead the start astray" {
    rm -rf "$layer/etc/passwd" "$layer/etc/hosts"
    mkfifo "$layer/etc/passwd"
    mkdir "$work/outside"
    ln -s "$work/outside" "$layer/dev"
    ln -s "$work/outside" "$layer/proc"
    ln -s "$work/outside/hosts" "$layer/etc/hosts"
    create 0000000001 '{"hosts":"127.0.0.1 localhost\n","hostname":"box"}' cat /etc/hosts
    run -1 ctr start 0000000001
    [[ $output == *"not a regular file"* ]]
    rm "$layer/etc/passwd"
    ln -s /../../../../etc/shadow "$layer/etc/passwd"
    run -0 ctr start 0000000001
    wait_for 0000000001 state=exited exit_code=0
    [ "$(log 0000000001)" = "127.0.0.1 localhost" ]
    [ -z "$(ls -A "$work/outside")" ]
}

@test "a new volume gets the image's content, once" {
    mkdir -p "$layer/data/sub" "$work/volume/_data"
    echo content >"$layer/data/sub/file"
    ln -s sub/file "$layer/data/link"
    chown 1000:1001 "$layer/data"
    chmod 750 "$layer/data"
    mount='{"mounts":[{"type":1,"source":"'$work/volume/_data'","target":"/data","copy_up":true}]}'
    run -0 run_to_end 0000000001 "$mount" sh -c 'cat /data/link; stat -c %u:%g:%a /data; echo changed >/data/sub/file'
    [ "$output" = $'content\n1000:1001:750' ]
    run -0 run_to_end 0000000002 "$mount" cat /data/link
    [ "$output" = changed ]
    [ "$(cat "$layer/data/sub/file")" = content ]
}

@test "an interrupted copy into a volume is done again" {
    mkdir -p "$layer/data" "$work/volume/_data"
    echo content >"$layer/data/file"
    echo half >"$work/volume/_data/other"
    touch "$work/volume/_data.copying"
    run -0 run_to_end 0000000001 '{"mounts":[{"type":1,"source":"'$work/volume/_data'","target":"/data","copy_up":true}]}' ls /data
    [ "$output" = file ]
}

@test "many layers fit" {
    layers=$(for i in $(seq 200); do
        mkdir -p "$work/layers/$(printf %064d "$i")"
        echo "$i" >"$work/layers/$(printf %064d "$i")/top"
        echo "$work/layers/$(printf %064d "$i")"
    done | jq -R . | jq -s --arg base "$layer" '[$base] + .')
    run -0 run_to_end 0000000001 "{\"layers\":$layers}" cat /top
    [ "$output" = 200 ]
}

@test "what a container writes is there after a restart, and gone after a removal" {
    create 0000000001 '{}' sh -c 'echo x >>/state; cat /state'
    for i in 1 2 3; do ctr start 0000000001; wait_for 0000000001 pid=0 state=exited; done
    [ "$(log 0000000001 | wc -l)" = 6 ]
    [ ! -e "$layer/state" ]
}

@test "secrets are files with owner and mode" {
    run -1 run_to_end 0000000001 '{"files":[{"target":"/run/secrets/a","content":"hush","uid":-1,"gid":-1,"mode":-1},{"target":"/b","content":"","uid":1000,"gid":1001,"mode":256}]}' sh -c 'cat /run/secrets/a; stat -c " %a %u:%g" /run/secrets/a /b; echo x >/b'
    [ "${lines[0]}" = "hush 444 0:0" ]
    [ "${lines[1]}" = " 400 1000:1001" ]
}

@test "init reaps, forwards signals and gives the command's status" {
    create 0000000001 '{"init":true}' sh -c 'trap "exit 33" TERM; (sleep 0.01 &); echo up; while :; do sleep 0.02; done'
    ctr start 0000000001
    until log 0000000001 | grep -q up; do :; done
    [ "$(ctr exec 0000000001 -- cat /proc/1/comm)" = init ]
    # The orphan's parent is init now; when it has ended no zombie stays.
    until ! ctr exec 0000000001 -- sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status' | grep .; do :; done
    ctr stop 0000000001
    wait_for 0000000001 state=exited exit_code=33
}

@test "limits reach the cgroup" {
    create 0000000001 '{"mem_limit":33554432,"pids_limit":20,"cpus":0.5}' sleep 1000
    ctr start 0000000001
    run -0 ctr exec 0000000001 -- sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max'
    [[ ${lines[0]} == 33554432 && ${lines[1]} == 20 && ${lines[2]} == 50000* ]]
}

@test "running out of memory is told" {
    run -137 run_to_end 0000000001 '{"mem_limit":16777216}' sh -c 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'
    [ "$(field 0000000001 oom_killed)" = 1 ]
}

@test "a file ulimit above the limit of this machine is clamped" {
    run -0 run_to_end 0000000001 '{"ulimits":{"nofile":{"soft":77,"hard":999999999}}}' sh -c 'ulimit -Sn; ulimit -Hn'
    [ "${lines[0]}" = 77 ]
    [ "${lines[1]}" = "$(ulimit -Hn)" ]
}

@test "a sysctl of the host is refused" {
    create 0000000001 '{"sysctls":{"kernel.panic":"1"}}' true
    run -1 ctr start 0000000001
    [[ $output == *kernel.panic* ]]
}
