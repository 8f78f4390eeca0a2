load ../lib/ctr

# What the probe told, and what it must be.
probe()
{
    mkdir -p "$layer/bin"
    cp "$build/tests/probe" "$layer/bin/probe"
    run_to_end 0000000001 "$1" /bin/probe >"$work/told"
}

must()
{
    local line failed=0
    for line in "$@"; do
        grep -qxE "$line" "$work/told" || { echo "not so: $line; but: $(grep "^${line%%=*}=" "$work/told")"; failed=1; }
    done
    return $failed
}

@test "a container has Docker's default confinement" {
    probe '{}'
    must 'CapInh=0000000000000000' 'CapPrm=00000000a80425fb' 'CapEff=00000000a80425fb' \
        'CapBnd=00000000a80425fb' 'CapAmb=0000000000000000' 'Seccomp:=2' 'NoNewPrivs=0' 'pid=1' 'cgroup=/' \
        'descriptors=0' 'oom_score_adj=[0-9]+' \
        'kcore=(empty|ENOENT)' 'write_sysctl=EROFS' 'write_sysrq=(EROFS|ENOENT)' 'write_sys=EROFS' \
        'mkdir_cgroup_v1=(EROFS|ENOENT)' 'mkdir_cgroup_top=EROFS' \
        'mknod_mem=(EPERM|ok)' 'open_mem=(EPERM|ENOENT|EACCES)' 'mknod_null=ok' 'open_null=ok' \
        'sys_firmware=' 'proc_acpi=' 'proc_scsi=' \
        'dev=console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero |dev=core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero '
    must 'mount=EPERM' 'unshare_user=EPERM' 'unshare_mount=EPERM' 'clone_user=EPERM' 'clone3=ENOSYS' \
        'setns=EPERM' 'keyctl=EPERM' 'add_key=EPERM' 'bpf=EPERM' 'perf_event_open=EPERM' \
        'userfaultfd=EPERM' 'io_uring_setup=EPERM' 'open_by_handle_at=EPERM' 'init_module=EPERM' \
        'kexec_load=EPERM' 'pivot_root=EPERM' 'swapon=EPERM' 'reboot=EPERM' 'unknown=ENOSYS' 'x32=ENOSYS' \
        'socket_alg=EPERM' 'socket_alg_upper_half=EPERM' 'socket_vsock=EPERM' 'socket_inet=ok' \
        'personality=EPERM' 'chroot=ok' 'ptrace=ok'
}

@test "cgroups are read-only, whatever their version" {
    run -0 run_to_end 0000000001 '{}' sh -c \
        'for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir "$d/x" 2>/dev/null && echo "$d"; done; echo end'
    [ "$output" = end ]
}

@test "another user has no capability left" {
    probe '{"user":"web","no_new_privileges":true}'
    must 'CapPrm=0000000000000000' 'CapEff=0000000000000000' 'CapBnd=00000000a80425fb' 'NoNewPrivs=1' \
        'Seccomp:=2' 'mknod_null=EPERM' 'chroot=EPERM' 'write_sysctl=(EROFS|EACCES)'
}

@test "capabilities are dropped and added, and seccomp follows them" {
    probe '{"cap_drop":["ALL"],"cap_add":["NET_BIND_SERVICE"]}'
    must 'CapEff=0000000000000400' 'CapBnd=0000000000000400' 'chroot=EPERM' 'mount=EPERM'
    ctr remove 0000000001
    probe '{"cap_add":["SYS_ADMIN"]}'
    must 'CapEff=00000000a82425fb' 'unshare_mount=ok' 'mount=ok' 'clone3=EINVAL'
}

@test "seccomp=unconfined and privileged open what they say" {
    probe '{"security_opt":["seccomp=unconfined"]}'
    must 'Seccomp:=0' 'CapEff=00000000a80425fb' 'mount=EPERM' 'write_sysctl=EROFS'
    ctr remove 0000000001
    probe '{"privileged":true}'
    must 'Seccomp:=0' 'mount=ok' 'write_sysctl=ok'
    grep -q '^CapEff=0000000000000000' "$work/told" && false
    grep -q '^dev=.*console' "$work/told" || true
}

@test "a further process is confined like the first" {
    cp "$build/tests/probe" "$layer/bin/probe"
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    ctr exec 0000000001 -- /bin/probe >"$work/told"
    must 'CapInh=0000000000000000' 'CapPrm=00000000a80425fb' 'CapEff=00000000a80425fb' \
        'CapBnd=00000000a80425fb' 'CapAmb=0000000000000000' 'Seccomp:=2' 'descriptors=0' 'cgroup=/' \
        'mount=EPERM' 'unshare_user=EPERM' 'clone3=ENOSYS' 'socket_alg=EPERM' 'bpf=EPERM' 'keyctl=EPERM' \
        'open_mem=(EPERM|ENOENT|EACCES)' 'write_sysctl=EROFS'
    ctr exec 0000000001 -u web -- /bin/probe >"$work/told"
    must 'CapEff=0000000000000000' 'Seccomp:=2'
}

@test "exec: status, user, not found, not executable" {
    create 0000000001 '{"user":"web","env":["A=1"]}' sleep 1000
    ctr start 0000000001
    run -7 ctr exec 0000000001 -- sh -c 'echo $A; id -u; exit 7'
    [ "$output" = $'1\n1000' ]
    run -0 ctr exec 0000000001 -u 0:44 -- id
    [[ $output == *"uid=0(root) gid=44(video)"* ]]
    run -127 ctr exec 0000000001 -- /no/such
    run -126 ctr exec 0000000001 -- /etc/passwd
    run -1 ctr exec 0000000001 -u 4294967296 -- id
    run -143 ctr exec 0000000001 -- sh -c 'kill $$'
    ctr stop 0000000001 0
    wait_for 0000000001 state=exited
    run -1 ctr exec 0000000001 -- true
}

@test "the processes of the host and of other containers are out of sight" {
    create 0000000001 '{}' sleep 1000
    ctr start 0000000001
    run -0 ctr exec 0000000001 -- sh -c 'ls -d /proc/[0-9]* | wc -l; hostname'
    [ "${lines[0]}" -le 4 ]
    create 0000000002 '{"pid_mode":"container:0000000001","ipc_mode":"container:0000000001"}' sleep 2000
    ctr start 0000000002
    run -0 ctr exec 0000000002 -- sh -c 'cat /proc/1/cmdline | tr "\0" " "'
    [[ $output == "sleep 1000"* ]]
    ctr exec 0000000001 -- touch /dev/shm/shared
    ctr exec 0000000002 -- ls /dev/shm/shared
    kill -9 "$(field 0000000002 monitor_pid)"
    ctr adopt 0000000002
    ctr exec 0000000002 -- ls /dev/shm/shared
}

@test "a seccomp profile from a file, in Docker's format" {
    cat >"$work/profile.json" <<'JSON'
{"defaultAction": "SCMP_ACT_ALLOW",
 "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
             {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null}],
 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
              {"names": ["chroot"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_CHROOT"]}},
              {"names": ["ptrace"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
              {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "4.8"},
               "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]}]}
JSON
    probe '{"security_opt":["seccomp='"$work"'/profile.json"]}'
    must 'Seccomp:=2' 'mkdir_cgroup=EOPNOTSUPP|mkdir_cgroup=ENOTSUP' 'chroot=ok' 'ptrace=ok' 'socket_alg=EPERM' \
        'socket_inet=ok' 'keyctl=(ok|ENOKEY)'
    ctr remove 0000000001
    probe '{"security_opt":["seccomp:'"$work"'/profile.json"],"cap_drop":["SYS_CHROOT"]}'
    must 'chroot=EPERM'
    ctr remove 0000000001
    echo '{' >"$work/profile.json"
    create 0000000001 '{"security_opt":["seccomp='"$work"'/profile.json"]}' true
    run -1 ctr start 0000000001
    [[ $output == *"profile.json' line"* ]]
}

@test "host namespaces, where they are asked for" {
    run -0 run_to_end 0000000001 '{"uts_mode":"host","ipc_mode":"host","pid_mode":"host","cgroup_mode":"host"}' sh -c 'hostname; cat /proc/1/comm'
    [ "${lines[0]}" = "$(hostname)" ]
    [ "${lines[1]}" = "$(cat /proc/1/comm)" ]
    # Without a pid namespace the end of the first process is not the end of all; a stop still is.
    create 0000000002 '{"pid_mode":"host"}' sh -c 'sleep 1000 & sleep 1000; true'
    ctr start 0000000002
    until [ "$(ctr pids 0000000002 | wc -l)" = 3 ]; do :; done
    mapfile -t pids < <(ctr pids 0000000002)
    ctr remove 0000000002
    for pid in "${pids[@]}"; do [ ! -e "/proc/$pid" ] || grep -q '^State:.[ZX]' "/proc/$pid/status"; done
}

@test "subpaths of volumes do not leave them" {
    mkdir -p "$work/volume/inside"
    ln -s / "$work/volume/link"
    touch "$work/volume/inside/file"
    run -0 run_to_end 0000000001 '{"mounts":[{"type":1,"source":"'"$work/volume"'","subpath":"inside","target":"/v"}]}' ls /v
    [ "$output" = file ]
    ctr remove 0000000001
    run -1 run_to_end 0000000001 '{"mounts":[{"type":1,"source":"'"$work/volume"'","subpath":"inside/file","target":"/v/f","read_only":true}]}' \
        sh -c 'stat -c %F /v/f; echo x >/v/f'
    [[ $output == *"regular empty file"*Read-only* ]]
    for subpath in .. ../.. link link/etc inside/../..; do
        create 0000000002 '{"mounts":[{"type":1,"source":"'"$work/volume"'","subpath":"'$subpath'","target":"/v"}]}' true
        run -1 ctr start 0000000002
        [[ $output == *"leads out"* ]]
        ctr remove 0000000002
    done
}
