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

@test "names, resolver, addresses" {
    up_with 'hostname: myhost' 'domainname: example.org' 'dns_search: [a.example, b.example]' 'dns_opt: ["ndots:3", "timeout:1"]' \
        'mac_address: "02:42:ac:11:65:43"' 'extra_hosts: ["gate:host-gateway", "six=2001:db8::1", "two=192.0.2.1"]'
    [ "$(compote exec -T web hostname)" = myhost ]
    [ "$(compote exec -T web cat /proc/sys/kernel/domainname)" = example.org ]
    run -0 compote exec -T web cat /etc/resolv.conf
    has "search a.example b.example" "options ndots:3 timeout:1" "nameserver 127.0.0.11"
    run -0 compote exec -T web cat /etc/hosts
    has "2001:db8::1	six" "192.0.2.1	two" "myhost.example.org myhost"
    [ "$(compote exec -T web awk '$2 == "gate" {print $1}' /etc/hosts)" = "$(compote exec -T web ip route | awk '/default/ {print $3}')" ]
    [ "$(compote exec -T web cat /sys/class/net/eth0/address)" = 02:42:ac:11:65:43 ]
}

@test "namespaces of the host and of containers, and values that nobody knows" {
    compose_file <<'YML'
services:
  host:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    uts: host
    cgroup: host
    userns_mode: host
    ipc: shareable
  joins:
    image: busybox
    command: ["sleep", "infinity"]
    pid: "container:project-host-1"
    ipc: "service:host"
    depends_on: [host]
  alone: {image: busybox, command: ["sleep", "infinity"], init: true, ipc: none, cgroup: private}
YML
    compote up -d
    local host alone
    host=$(pid_of host) alone=$(pid_of alone)
    same() { [ "$(readlink "/proc/$1/ns/$3")" = "$(readlink "/proc/$2/ns/$3")" ]; }
    same $host $BASHPID uts
    same $host $BASHPID cgroup
    same $host $BASHPID user
    run ! same $alone $BASHPID cgroup
    [ "$(compote exec -T joins readlink /proc/self/ns/pid)" = "$(readlink /proc/$host/ns/pid)" ]
    [ "$(compote exec -T joins readlink /proc/self/ns/ipc)" = "$(readlink /proc/$host/ns/ipc)" ]
    run compote exec -T alone grep ' /dev/shm ' /proc/mounts
    failed
    compote down
    rm -rf "$COMPOTE_ROOT/containers"
    refused 'userns_mode: other'
    has "userns_mode 'other'"
    refused 'isolation: hyperv'
    has "isolation 'hyperv'"
    refused 'credential_spec: {file: spec.json}'
    has "credential_spec"
    refused 'storage_opt: {size: 1G}'
    has "storage_opt"
    { printf 'services: {web: {image: busybox, models: [llm]}}\nmodels: {llm: {model: some/model}}\n'; } | compose_file
    run compote up -d
    failed
    has "models need Docker's model runner"
    up_with 'isolation: default'
}

@test "security_opt: a seccomp profile beside the file, system paths, groups, scores" {
    mkdir profiles
    cat >profiles/strict.json <<'JSON'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}
JSON
    up_with 'security_opt: ["seccomp=profiles/strict.json", "systempaths=unconfined", "label=disable", "apparmor=unconfined"]' \
        'group_add: ["1234"]' 'oom_score_adj: 300' 'ulimits: {nofile: {soft: 100, hard: 200}, core: 0}' \
        'sysctls: {net.core.somaxconn: 512}' 'annotations: {org.example.note: "x"}'
    run compote exec -T web mkdir /x
    failed
    has "not implemented"
    run -0 compote exec -T web cat /proc/mounts
    has_not "/proc/kcore" "/proc/sysrq-trigger"
    [[ " $(compote exec -T web id -G) " == *" 1234 "* ]]
    [ "$(compote exec -T web cat /proc/1/oom_score_adj)" = 300 ]
    [ "$(compote exec -T web sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c' | tr '\n' ' ')" = "100 200 0 " ]
    [ "$(compote exec -T web cat /proc/sys/net/core/somaxconn)" = 512 ]
    grep -q '"org.example.note":"x"' "$COMPOTE_ROOT"/containers/*/bundle/config.json
    compote down
    rm -rf "$COMPOTE_ROOT/containers"
    refused 'security_opt: ["seccomp=profiles/none.json"]'
    has "profiles/none.json"
}

@test "configs and secrets: owner and mode, from a file, a variable and the text" {
    echo from file >text
    cat >labels <<'TXT'
from.file=yes
TXT
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    label_file: labels
    configs:
    - {source: file, target: /c/file, uid: "1000", gid: "1001", mode: 0440}
    - {source: text, target: /c/text, uid: "1000", mode: "0400"}
    - variable
    secrets: [{source: var, mode: 0400}, {source: file, target: renamed}]
configs: {file: {file: ./text}, text: {content: "a ${VALUE}"}, variable: {environment: VALUE}}
secrets: {var: {environment: VALUE}, file: {file: ./text}}
YML
    export VALUE=value
    compote up -d
    run -0 compote exec -T web sh -c 'cd /c; stat -c "%u %g %a" file text; cat file text /variable; echo; cat /run/secrets/var; stat -c %a /run/secrets/var; cat /run/secrets/renamed'
    [ "$output" = "1000 1001 440
1000 0 400
from file
a valuevalue
value400
from file" ] || fail "$output"
    run compote exec -T web sh -c 'echo x >/run/secrets/var'
    failed
    run -0 compote ps --format json
    has from.file=yes
    unset VALUE
    compote down
    run compote up -d
    has VALUE
}

@test "replicas get the ports of a range, each its own" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "mkdir /www; hostname >/www/index.html; exec httpd -f -h /www"]
    init: true
    scale: 3
    ports: ["8070-8074:80", "80", "127.0.0.1:8090-8094:80/tcp"]
YML
    compote up -d
    published() { for i in 1 2 3; do compote port --index $i web 80; done; }
    [ "$(published | grep -o '80[79].$' | sort -u | wc -l)" -ge 3 ]
    for port in 8070 8071 8072; do eventually page "http://198.51.100.1:$port/" -o /dev/null; done
    [ "$(for port in 8070 8071 8072; do page http://198.51.100.1:$port/; done | sort -u | wc -l)" = 3 ]
    run compote up -d --scale web=6
    failed
    has "8070-8074" "port is already allocated"
    has_state project-web-3 running
    compote up -d --force-recreate
    for port in 8070 8071 8072; do eventually page "http://198.51.100.1:$port/" -o /dev/null; done
}

@test "one port for several replicas: the second is refused, the first goes on" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sleep", "infinity"], init: true, ports: ["8090:80"]}
YML
    compote up -d
    run compote up -d --scale web=2
    failed
    has project-web-2 "Bind for 0.0.0.0:8090 failed: port is already allocated"
    has_state project-web-1 running
}

@test "pull_policy" {
    try()
    {
        printf 'services: {web: {image: busybox, command: ["true"], pull_policy: %s}}\n' "$1" | compose_file
        run compote create "${@:2}"
    }
    try never
    failed
    has "pull policy is never"
    try missing
    has Pulled
    for policy in missing if_not_present daily weekly every_2h refresh build never; do
        try $policy --force-recreate
        succeeded
        has_not Pull
    done
    for policy in always every_0s; do
        try $policy
        has Pulled
    done
}

@test "restart_policy of deploy: condition, delay, attempts" {
    compose_file <<'YML'
services:
  quits:
    image: busybox
    command: ["false"]
    deploy: {restart_policy: {condition: on-failure, delay: 10ms, max_attempts: 3}}
  ends: {image: busybox, command: ["true"], deploy: {restart_policy: {condition: on-failure}}}
  stays: {image: busybox, command: ["false"], restart: always, deploy: {restart_policy: {condition: none}}}
  late: {image: busybox, command: ["false"], deploy: {restart_policy: {condition: any, delay: 1h}}}
YML
    compote up -d
    ended() { has_state project-quits-1 exited && has_state project-ends-1 exited && has_state project-stays-1 exited; }
    eventually ended
    grep -qx 'restart_count=3' "$COMPOTE_ROOT"/run/containers/*/status
    eventually has_state project-late-1 restarting
    # A growing delay would have brought it back by the time the other one is through.
    compote restart quits
    eventually ended
    has_state project-late-1 restarting
    grep -qx 'restart_count=0' $(grep -l '^state=restarting' "$COMPOTE_ROOT"/run/containers/*/status)
}

@test "names of replicas, container_name, links and external links, namespaces by name" {
    compose_file <<'YML'
services:
  back: {image: busybox, command: ["sleep", "infinity"], init: true, deploy: {replicas: 3}}
  named: {image: busybox, command: ["sleep", "infinity"], init: true, container_name: special}
  front:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    links: ["back:store"]
    external_links: ["special:outer"]
    depends_on: {named: {condition: service_started}, absent: {condition: service_started, required: false}}
  inside: {image: busybox, command: ["sleep", "infinity"], init: true, network_mode: "container:special", depends_on: [named]}
  absent: {image: busybox, command: ["false"], profiles: [other]}
YML
    compote up -d
    run -0 compote ps --format '{{.Name}}'
    has project-back-1 project-back-2 project-back-3 special
    has_not absent
    addresses() { compote exec -T front nslookup "$1" | awk '/^Name:/ {seen = 1} seen && /^Address/ {print $NF}' | sort -u; }
    [ "$(addresses back | grep -c '^[0-9.]*$')" = 3 ]
    [ "$(addresses store)" = "$(addresses back)" ]
    [ "$(addresses outer)" = "$(addresses special)" ]
    run compote exec -T named nslookup store
    failed
    [ "$(compote exec -T inside cat /sys/class/net/eth0/address)" = "$(compote exec -T named cat /sys/class/net/eth0/address)" ]
    run compote up -d --scale named=2
    failed
    has container_name
    has_state special running
}

@test "healthcheck: disabled, and faster while it starts" {
    compose_file <<'YML'
services:
  off: {image: busybox, command: ["sleep", "infinity"], init: true, healthcheck: {disable: true}}
  none: {image: busybox, command: ["sleep", "infinity"], init: true, healthcheck: {test: [NONE]}}
  quick:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    healthcheck: {test: ["CMD", "true"], interval: 1h, start_period: 1h, start_interval: 100ms}
YML
    compote up -d --wait
    has_health project-quick-1 healthy
    [ -z "$(health_of project-off-1)$(health_of project-none-1)" ]
}

@test "stop_signal and stop_grace_period" {
    compose_file <<'YML'
services:
  asked:
    image: busybox
    command: ["sh", "-c", "trap 'exit 9' USR1; touch /ready; while :; do sleep 0.1; done"]
    stop_signal: SIGUSR1
  deaf:
    image: busybox
    command: ["sh", "-c", "trap '' TERM; touch /ready; while :; do sleep 0.1; done"]
    stop_grace_period: 300ms
YML
    compote up -d
    ready() { compote exec -T asked test -e /ready && compote exec -T deaf test -e /ready; }
    eventually ready
    compote stop
    run -0 compote ps -a --format '{{.Service}} {{.ExitCode}}'
    has "asked 9" "deaf 137"
}

@test "protocols and addresses of published ports" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    ports:
    - "127.0.0.1:8081:81/udp"
    - "[::1]:8082:82"
    - {target: 83, published: "8083", protocol: tcp, app_protocol: http, mode: host, name: x}
    - {target: 84, host_ip: 127.0.0.2}
YML
    compote up -d
    [ "$(compote port --protocol udp web 81)" = 127.0.0.1:8081 ]
    [ "$(compote port web 82)" = "[::1]:8082" ]
    [ "$(compote port web 83)" = 0.0.0.0:8083 ]
    [[ "$(compote port web 84)" = 127.0.0.2:[0-9]* ]]
    local port
    port=$(compote port web 84 | cut -d: -f2)
    [ "$port" -ge 49153 ]
    printf 'services: {web: {image: busybox, command: ["sleep", "infinity"], ports: ["8085:85/sctp"]}}\n' | compose_file
    if python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)' 2>/dev/null; then
        compote up -d
        [ "$(compote port --protocol sctp web 85)" = 0.0.0.0:8085 ]
    else
        run compote up -d
        failed
        has "port 8085/sctp: this kernel has no SCTP"
    fi
}
