# post_start and pre_stop.
load ../lib/harness

# A service that keeps what its hooks did in a folder of the project.
hooked()
{
    mkdir -p out
    compose_file <<YML
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    environment: {BOTH: container, ONE: "1"}
    volumes: ["./out:/out"]
    post_start:
    - command: ["sh", "-c", 'echo "start \$\$(id -u) \$\$PWD \$\$BOTH \$\$ONE" >>/out/log']
      user: "1000"
      working_dir: /tmp
      environment: {BOTH: hook}
    - command: sh -c 'echo second >>/out/log'
    pre_stop:
    - command: ["sh", "-c", "echo stop >>/out/log; ${1:-true}"]
YML
    chmod 777 out
}

@test "hooks run after each start and before each stop" {
    hooked
    compote up -d
    [ "$(cat out/log)" = "start 1000 /tmp hook 1
second" ] || fail "$(cat out/log)"
    compote up -d
    [ "$(wc -l <out/log)" = 2 ]
    compote restart
    compote stop
    compote start
    compote down
    [ "$(sed 's/ .*//' out/log | tr '\n' ' ')" = "start second stop start second stop start second stop " ] ||
        fail "$(cat out/log)"
}

@test "hooks of a container that is made anew, that is one too many, and of those that are killed" {
    hooked
    compote up -d --scale web=2
    : >out/log
    compote up -d --scale web=1
    [ "$(cat out/log)" = stop ]
    : >out/log
    compote up -d --force-recreate
    [ "$(sed 's/ .*//' out/log | tr '\n' ' ')" = "stop start second " ]
    : >out/log
    compote kill
    compote run --rm web true
    [ ! -s out/log ]
}

@test "a hook that fails: the start is an error, the stop does not happen" {
    hooked "echo why >&2; exit 7"
    compote up -d
    run compote stop
    failed
    has "web hook exited with status 7" "why"
    has_state project-web-1 running
    hooked
    compote stop
    sed -i 's/echo second.*/exit 3'"'"'/' compose.yml
    run compote start
    failed
    has "web hook exited with status 3"
    has_state project-web-1 running
}

@test "privileged hooks have all capabilities" {
    hooked
    sed -i 's/^      user: "1000"/      privileged: true/; s/id -u/grep CapEff \/proc\/self\/status/' compose.yml
    compote up -d
    grep -qF "start $(grep CapEff /proc/self/status | tr '\t' ' ')" <(tr '\t' ' ' <out/log) || fail "$(cat out/log)"
}

@test "hooks of a service whose profile is not active run when it stops" {
    hooked
    sed -i 's/^    image: busybox/&\n    profiles: [later]/' compose.yml
    compote --profile later up -d
    compote down --remove-orphans
    [ "$(tail -n 1 out/log)" = stop ]
}
