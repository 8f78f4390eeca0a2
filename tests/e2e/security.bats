# What a container may not do unless told so.
load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  plain: {image: busybox, command: ["sleep", "infinity"], init: true}
  strict:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    user: "1000:1000"
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 50
    mem_limit: 64m
  loose: {image: busybox, command: ["sleep", "infinity"], init: true, cap_add: [NET_ADMIN]}
YML
    compote up -d
}

status_of()
{
    compote exec -T "$1" sed -n "s/^$2:[[:space:]]*//p" /proc/1/status
}

@test "capabilities are docker's default set, none, and more" {
    [ "$(status_of plain CapBnd)" = 00000000a80425fb ]
    [ "$(status_of plain CapEff)" = 00000000a80425fb ]
    [ "$(status_of strict CapBnd)" = 0000000000000000 ]
    [ "$(status_of loose CapEff)" = 00000000a80435fb ]
}

@test "seccomp filters every container, and no-new-privileges is set when asked for" {
    [ "$(status_of plain Seccomp)" = 2 ]
    [ "$(status_of strict NoNewPrivs)" = 1 ]
    run compote exec -T plain unshare -U true
    failed
    run compote exec -T plain mount -t tmpfs none /tmp
    failed
}

@test "masked and read-only paths" {
    run compote exec -T plain sh -c 'echo 1 > /proc/sys/kernel/domainname'
    failed
    [ -z "$(compote exec -T plain cat /proc/kcore 2>/dev/null | head -c 1)" ]
    run compote exec -T plain sh -c 'echo b > /proc/sysrq-trigger'
    failed
    [ -z "$(compote exec -T plain ls /sys/firmware)" ]
}

@test "a container sees its own processes, names and devices only" {
    [ "$(compote exec -T plain sh -c 'ls -d /proc/[0-9]* | wc -l')" -lt 8 ]
    run -0 compote exec -T plain sh -c 'cd /dev && ls'
    has null zero urandom pts shm
    has_not vda kvm mem
    run compote exec -T plain sh -c 'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk'
    failed
}
