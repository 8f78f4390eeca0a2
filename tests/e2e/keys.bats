# Keys of services, each seen from inside of a container.
load ../lib/harness

# run_key 'key: value' ... : a service "web" with these lines, up.
up_with()
{
    {
        printf 'services:\n  web:\n    image: busybox\n    command: ["sleep", "infinity"]\n    init: true\n'
        printf '    %s\n' "$@"
    } | compose_file
    compote up -d
}

refused()
{
    run up_with "$@"
    failed
    [ ! -e "$COMPOTE_ROOT/containers" ] || fail "something was made"
}

# The value of a file of the container's cgroup, v1 or v2.
cgroup_value()
{
    local pid path
    pid=$(pid_of web)
    path=$(awk -F: -v c="$1" '$2 ~ "(^|,)" c "(,|$)" {print "/sys/fs/cgroup/" c $3}' "/proc/$pid/cgroup")
    cat "$path/$2"
}

cleanup()
{
    rm -f /var/run/cdi/compote-test.json
    rmdir /var/run/cdi 2>/dev/null
}

@test "blkio_config: rates of devices" {
    [ -e /sys/fs/cgroup/blkio/blkio.throttle.read_bps_device ] || skip "needs the blkio controller of cgroup v1"
    local device number
    device=$(find /dev -maxdepth 1 -type b ! -name 'loop*' | head -n 1)
    [ -n "$device" ] || skip "needs a block device"
    number=$(printf '%d:%d' $(stat -c '0x%t 0x%T' "$device"))
    up_with "blkio_config: {weight: 300, device_read_bps: [{path: $device, rate: 1mb}], device_write_iops: [{path: $device, rate: 120}]}"
    [ "$(cgroup_value blkio blkio.throttle.read_bps_device)" = "$number 1048576" ]
    [ "$(cgroup_value blkio blkio.throttle.write_iops_device)" = "$number 120" ]
    compote down
    run up_with 'blkio_config: {device_read_bps: [{path: /dev/null, rate: 1mb}]}'
    failed
    has "blkio_config.device_read_bps: '/dev/null' is not a block device"
}

@test "cpu and memory limits of cgroup v1" {
    [ -e /sys/fs/cgroup/cpu/cpu.shares ] && [ -e /sys/fs/cgroup/memory/memory.swappiness ] || skip "needs cgroup v1"
    up_with 'cpu_shares: 512' 'cpu_quota: 20000' 'cpu_period: 50000' 'cpuset: "0"' 'mem_limit: 64m' \
        'mem_reservation: 32m' 'mem_swappiness: 10' 'oom_kill_disable: true' 'pids_limit: 33'
    [ "$(cgroup_value cpu cpu.shares)" = 512 ]
    [ "$(cgroup_value cpu cpu.cfs_quota_us)" = 20000 ]
    [ "$(cgroup_value cpu cpu.cfs_period_us)" = 50000 ]
    [ "$(cgroup_value cpuset cpuset.cpus)" = 0 ]
    [ "$(cgroup_value memory memory.limit_in_bytes)" = 67108864 ]
    [ "$(cgroup_value memory memory.soft_limit_in_bytes)" = 33554432 ]
    [ "$(cgroup_value memory memory.swappiness)" = 10 ]
    [[ "$(cgroup_value memory memory.oom_control)" = "oom_kill_disable 1"* ]]
    [ "$(cgroup_value pids pids.max)" = 33 ]
}

@test "limits and reservations of deploy" {
    [ -e /sys/fs/cgroup/memory ] || skip "needs cgroup v1"
    up_with 'deploy: {resources: {limits: {cpus: "0.5", memory: 64M, pids: 20}, reservations: {memory: 16M}}}'
    [ "$(cgroup_value cpu cpu.cfs_quota_us)" = 50000 ]
    [ "$(cgroup_value memory memory.limit_in_bytes)" = 67108864 ]
    [ "$(cgroup_value memory memory.soft_limit_in_bytes)" = 16777216 ]
    [ "$(cgroup_value pids pids.max)" = 20 ]
}

@test "devices: one, under another name, by pattern; rules for others" {
    up_with 'devices: ["/dev/null:/dev/nothing:r", "/dev/[zf]*[ol]"]' 'device_cgroup_rules: ["c 10:237 rw"]'
    compote exec -T web sh -c 'test -c /dev/nothing && head -c 1 /dev/zero >/dev/null && test -c /dev/full'
    [ ! -e /sys/fs/cgroup/devices ] || cgroup_value devices devices.list | grep -qx 'c 10:237 rw'
    compote down
    run up_with 'devices: ["/dev/no-such*"]'
    failed
    has "no device matches '/dev/no-such*'"
}

@test "gpus and CDI devices come from the files of their vendors" {
    mkdir -p /var/run/cdi
    cat >/var/run/cdi/compote-test.json <<'JSON'
{"cdiVersion": "0.6.0", "kind": "example.test/gpu",
 "containerEdits": {"env": ["ALL=yes"]},
 "devices": [
  {"name": "zero", "containerEdits": {"env": ["ZERO=yes"], "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/zero"}]}},
  {"name": "one", "containerEdits": {"env": ["ONE=yes"], "deviceNodes": [{"path": "/dev/gpu1", "type": "c", "major": 1, "minor": 3}],
    "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/gpu/host", "options": ["ro", "bind"]}]}}]}
JSON
    seen()
    {
        compote exec -T web sh -c 'echo $ALL $ZERO $ONE; ls /dev /gpu 2>/dev/null | grep -E "gpu|host"; true' | tr '\n' ' '
        compote exec -T web sh -c 'tr "\0" "\n" </proc/1/environ' | grep -cE '^(ALL|ZERO|ONE)='
    }
    up_with 'gpus: all'
    run -0 seen
    has gpu0 gpu1 3
    up_with 'gpus: [{driver: example, count: 1}]'
    run -0 seen
    has gpu0 2
    has_not gpu1
    up_with 'devices: ["example.test/gpu=one"]'
    run -0 seen
    has gpu1 host 2
    has_not gpu0
    up_with 'deploy: {resources: {reservations: {devices: [{driver: cdi, device_ids: ["example.test/gpu=zero"], capabilities: [gpu]}]}}}'
    run -0 seen
    has gpu0
    compote down
    rm -rf "$COMPOTE_ROOT/containers"
    refused 'gpus: [{driver: example, count: 3}]'
    has "3 devices of example.test/gpu are wanted, 2 are there"
    refused 'devices: ["example.test/gpu=two"]'
    has "CDI device 'example.test/gpu=two' is not there"
    rm /var/run/cdi/compote-test.json
    refused 'gpus: all'
    has 'could not select device driver "" with capabilities: [[gpu]]'
}
