load ../lib/harness

prepare()
{
    mkdir -p src/sub
    echo one >src/one
    echo two >src/sub/two
}

# watching COMMAND...: runs it until the end of the test, or `unwatch`; `heard` looks at what it says.
watching()
{
    nsenter --net="/proc/$LAB_PID/ns/net" "$build/src/cli/compote" "$@" >watch.out 2>&1 </dev/null 3>&- &
    watcher=$!
    eventually heard 'Watch enabled'
}

heard()
{
    grep -qF -- "$1" watch.out
}

# How often a batch was told.
batches()
{
    [ "$(grep -c 'changes were detected' watch.out)" -ge "$1" ]
}

# Ends it as Ctrl-C does; its status is `status`.
unwatch()
{
    kill -INT "$watcher"
    status=0
    wait "$watcher" || status=$?
    watcher=
}

cleanup()
{
    [ ! -f watch.out ] || cat watch.out
    [ -z "${watcher:-}" ] || kill "$watcher" 2>/dev/null || true
}

inside()
{
    compote exec -T web sh -c "$1"
}

has_content()
{
    [ "$(inside "cat $1" 2>/dev/null)" = "$2" ]
}

is_gone()
{
    inside "! [ -e $1 ] && ! [ -L $1 ]"
}

# service RULES: one service, watched by the rules on standard input.
service()
{
    { printf '%s\n' 'services:' '  web:' '    image: busybox' '    init: true' \
        '    command: ["sleep", "infinity"]' '    stop_grace_period: 1s' '    develop:' '      watch:'
    sed 's/^/        /'; } >compose.yml
}

@test "watch brings up the project, and what changes in a directory, into its containers" {
    service <<<'- {action: sync, path: src, target: /app}'
    watching watch
    [ "$(compote ps -q web | wc -l)" = 1 ]
    is_gone /app
    echo changed >src/one
    eventually has_content /app/one changed
    grep -xF 'Syncing service "web" after 1 changes were detected' watch.out
    is_gone /app/sub
    # New, deep, renamed and removed.
    mkdir -p src/new/deep
    echo x >src/new/deep/file
    eventually has_content /app/new/deep/file x
    mv src/new src/moved
    eventually has_content /app/moved/deep/file x
    eventually is_gone /app/new
    echo y >src/moved/deep/file
    eventually has_content /app/moved/deep/file y
    rm -r src/moved
    eventually is_gone /app/moved
    has_content /app/one changed
    unwatch
    [ "$status" = 130 ]
    [ "$(tail -n 1 watch.out)" = "Watch disabled" ]
    has_state project-web-1 running
}

@test "watch follows a single file through the ways in which editors save" {
    service <<<'- {action: sync, path: src/one, target: /etc/one.conf}'
    watching watch
    echo 1 >src/one
    eventually has_content /etc/one.conf 1
    echo 2 >src/tmp && mv src/tmp src/one
    eventually has_content /etc/one.conf 2
    rm src/one
    eventually is_gone /etc/one.conf
    echo 3 >src/one
    eventually has_content /etc/one.conf 3
    is_gone /etc/tmp
}

@test "watch: ignore, include, .dockerignore and what editors leave behind" {
    service <<'YML'
- {action: sync, path: src, target: /app, ignore: ["*.log", cache/, "!keep.log"]}
- {action: sync, path: src, target: /only, include: ["**/*.txt"]}
YML
    sed -i 's/    image: busybox/&\n    build: ./' compose.yml
    echo src/secret >.dockerignore
    watching watch
    mkdir -p src/cache src/.git src/texts
    for name in a.log keep.log cache/x .git/x secret .one.swp one~ 4913 texts/t.txt texts/other last; do
        echo x >"src/$name"
    done
    eventually has_content /app/last x
    eventually has_content /only/texts/t.txt x
    [ "$(inside 'cd /app; find . -type f | sort' | tr '\n' ' ')" = "./keep.log ./last ./texts/other ./texts/t.txt " ]
    [ "$(inside 'find /only -type f')" = /only/texts/t.txt ]
    rm -r src/texts
    eventually is_gone /app/texts
    eventually is_gone /only/texts/t.txt
}

@test "watch: initial_sync brings what is there already, without what makes images" {
    echo y >src/Dockerfile
    echo z >src/compose.yaml
    ln -s one src/link
    service <<<'- {action: sync, path: src, target: /app, initial_sync: true}'
    watching watch
    has_content /app/one one
    has_content /app/sub/two two
    [ "$(inside 'readlink /app/link')" = one ]
    is_gone /app/Dockerfile
    is_gone /app/compose.yaml
    run ! grep Syncing watch.out
    echo y2 >src/Dockerfile
    eventually has_content /app/Dockerfile y2
}

@test "watch: sync+restart, restart and sync+exec" {
    service <<'YML'
- {action: sync+restart, path: src/one, target: /app/one}
- {action: restart, path: src/sub}
- action: sync+exec
  path: src/run
  target: /app/run
  exec: {command: [sh, -c, 'echo "$$WORD $$(id -u) $$(pwd)" >>/tmp/ran; echo from exec'], user: "1000", working_dir: /etc, environment: {WORD: hello}}
YML
    mkdir src/run
    watching watch
    local before
    before=$(pid_of web)
    restarts() { [ "$(grep -cF 'service(s) ["web"] restarted' watch.out)" = "$1" ]; }
    echo again >src/one
    eventually restarts 1
    [ "$(pid_of web)" != "$before" ]
    has_content /app/one again
    before=$(pid_of web)
    echo x >src/sub/more
    eventually restarts 2
    [ "$(pid_of web)" != "$before" ]
    is_gone /app/more
    before=$(pid_of web)
    echo 1 >src/run/a
    echo 2 >src/run/b
    eventually has_content /tmp/ran "hello 1000 /etc"
    has_content '/app/run/a /app/run/b' $'1\n2'
    heard 'from exec'
    [ "$(pid_of web)" = "$before" ]
}

@test "watch tells what fails, and goes on" {
    service <<'YML'
- {action: sync+exec, path: src, target: /app, exec: {command: [sh, -c, "exit 3"]}}
YML
    watching watch
    echo x >src/one
    eventually heard "exec in project-web-1: 'sh' exited with status 3"
    inside 'mkdir /app/file'
    echo x >src/file
    eventually heard "cannot overwrite"
    rm src/file
    eventually is_gone /app/file
    echo y >src/file
    eventually has_content /app/file y
}

@test "watch finds containers that are made anew, and goes to all replicas" {
    service <<<'- {action: sync, path: src, target: /app}'
    watching watch --no-up
    compote up -d --scale web=2
    echo x >src/one
    eventually compote exec -T --index 2 web cat /app/one
    [ "$(compote exec -T --index 1 web cat /app/one)" = x ]
    compote up -d --force-recreate
    is_gone /app/one
    echo y >src/one
    eventually has_content /app/one y
    compote down -t 1
    echo z >src/one
    eventually batches 3
    heard 'Watch enabled'
    kill -0 "$watcher"
}

@test "watch gives files to the user of the service, and reaches its volumes" {
    service <<<'- {action: sync, path: src, target: /data}'
    sed -i 's/    image: busybox/&\n    user: "1000:1001"\n    read_only: true\n    volumes: [data:\/data]/' compose.yml
    echo 'volumes: {data: }' >>compose.yml
    watching watch
    echo x >src/one
    eventually has_content /data/one x
    [ "$(inside 'stat -c %u:%g /data/one')" = 1000:1001 ]
}

@test "watch comes to no harm from a hostile tree" {
    service <<'YML'
- {action: sync, path: src, target: /app, initial_sync: true}
YML
    ln -s . src/loop
    ln -s / src/root
    ln -s "$SCRATCH" src/out
    mkfifo src/fifo
    mknod src/null c 1 3
    mkdir -p "$SCRATCH/elsewhere"
    watching watch
    [ "$(inside 'readlink /app/root')" = / ]
    [ "$(inside 'ls /app | tr "\n" " "')" = "loop one out root sub " ]
    # Links in the container lead nowhere outside, and those in the tree are never followed.
    inside "rm -r /app/sub; ln -s '$SCRATCH/elsewhere' /app/sub"
    rm src/loop && mkdir src/loop && echo x >src/loop/x
    eventually has_content /app/loop/x x
    echo new >src/sub/two
    eventually batches 2
    echo last >src/one
    eventually has_content /app/one last
    [ -z "$(ls -A "$SCRATCH/elsewhere")" ]
    # A directory that becomes a link while it is watched.
    mkdir src/turn && echo x >src/turn/x
    eventually has_content /app/turn/x x
    rm -r src/turn && ln -s /etc src/turn
    eventually inside '[ "$(readlink /app/turn)" = /etc ]'
}

@test "watch compares everything when the kernel could not keep up" {
    service <<<'- {action: sync, path: src, target: /app}'
    watching watch
    local limit i
    limit=$(cat /proc/sys/fs/inotify/max_queued_events)
    kill -STOP "$watcher"
    mkdir src/many
    # Alternating, so that events are not merged.
    for ((i = 0; i < limit / 2 + 100; i++)); do : >src/a; : >src/b; done
    mkdir src/late && echo x >src/late/file
    echo changed >src/sub/two
    kill -CONT "$watcher"
    WAIT_SECONDS=60 eventually has_content /app/late/file x
    has_content /app/sub/two changed
}

@test "watch: rules that cannot work are refused, with what to do" {
    compose_file <<<'services: {web: {image: busybox}}'
    run compote watch
    failed 1
    has "none of the selected services is configured for watch, consider setting a 'develop' section"
    run compote up --watch
    failed 1
    has "none of the selected services is configured for watch"
    service <<<'- {action: sync, path: nothing, target: /app}'
    run compote watch
    failed 1
    has "service 'web'" "nothing'" "No such file"
    service <<<'- {action: sync, path: src, target: /app, ignore: ["a["]}'
    run compote watch
    failed 1
    has "ignore: pattern 'a['"
    service <<<'- {action: rebuild, path: src}'
    run compote watch
    failed 1
    has 'can'\''t watch service "web" with action rebuild without a build context'
    service <<<'- {action: sync+exec, path: src, target: /app}'
    run compote watch
    failed 1
    has 'on service web without a command'
    service <<<'- {action: sync, path: src, target: /app}'
    sed -i 's/    image: busybox/&\n    volumes: [.:\/app]/' compose.yml
    run compote watch
    failed 1
    has "path '$PWD/src' also declared by a bind mount volume, this path won't be monitored!" "none of the selected"
    run compote up -d --watch
    failed 1
    run compote up --no-build --watch
    failed 1
    has "--no-build and --watch are incompatible"
}

@test "watch says that rebuild waits for the builder; a project has one watch" {
    service <<<'- {action: rebuild, path: src}'
    sed -i 's/    image: busybox/&\n    build: ./' compose.yml
    watching watch
    heard "build is not available yet: changes of '$PWD/src' are told"
    run compote watch
    failed 1
    has "project 'project' is watched by another command"
    echo x >src/one
    eventually heard 'Service "web" is not rebuilt after changes were detected'
}

@test "up --watch shows output, watches, survives restarts, and stops all at the end" {
    service <<'YML'
- {action: sync, path: src, target: /app}
- {action: sync+restart, path: src/sub, target: /app/sub}
YML
    sed -i 's/command: .*/command: [sh, -c, "echo started; cat \/app\/sub\/two; sleep infinity"]/' compose.yml
    watching up --watch
    grep -qE '^ +⦿ Watch enabled$' watch.out
    eventually heard 'web-1  | started'
    echo x >src/one
    eventually has_content /app/one x
    echo y >src/sub/two
    eventually heard 'service(s) ["web"] restarted'
    eventually heard 'web-1  | y'
    echo z >src/one
    eventually has_content /app/one z
    unwatch
    [ "$status" = 0 ]
    heard 'Watch disabled'
    has_state project-web-1 exited
}

@test "Ctrl-C during a batch leaves nothing behind" {
    service <<<'- {action: sync+exec, path: src, target: /app, exec: {command: [sh, -c, "echo begun; sleep 1000"]}}'
    watching watch
    echo x >src/one
    eventually heard begun
    unwatch
    [ "$status" = 130 ]
    eventually inside '! pgrep -f "sleep 1000"'
}
