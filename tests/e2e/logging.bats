# Where logs go beside the file that `logs` reads.
load ../lib/harness

prepare_file()
{
    # receive KIND ADDRESS FILE: writes what arrives, a line for each record.
    cat >"$LAB/receive.py" <<'PY'
import socket, sys
kind, address, path = sys.argv[1:]
out = open(path, "wb", buffering=0)
if kind == "unix":
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(address)
else:
    host, port = address.rsplit(":", 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, int(port)))
open(path + ".ready", "w").close()
if kind == "tcp":
    s.listen()
    while True:
        c, _ = s.accept()
        while data := c.recv(65536): out.write(data)
while True: out.write(s.recv(1 << 20))
PY
}

# A receiver in the lab, until the end of the test.
receive()
{
    nsenter --net="/proc/$LAB_PID/ns/net" python3 "$LAB/receive.py" "$1" "$2" "$SCRATCH/received" 3>&- &
    receiver=$!
    eventually test -e "$SCRATCH/received.ready"
}

cleanup()
{
    [ -z "${receiver:-}" ] || kill $receiver
}

service()
{
    compose_file <<YML
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo to out; echo to err >&2; exec sleep infinity"]
    init: true
    labels: {role: front, other: x}
    environment: {STAGE: test}
    logging: {driver: $1, options: $2}
YML
}

got()
{
    grep -qaE -- "$1" "$SCRATCH/received" 2>/dev/null
}

@test "syslog over UDP, TCP and a Unix socket, in its formats" {
    receive udp 127.0.0.1:5514
    service syslog '{syslog-address: "udp://localhost:5514", syslog-facility: local3, tag: "{{.Name}}/{{.ID}}"}'
    compote up -d
    id=$(compote ps -q web | cut -c1-12)
    eventually got "^<158>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} project-web-1/$id\[[0-9]+\]: to out$"
    eventually got "^<155>.*: to err$"
    run -0 compote logs web
    has "to out" "to err"
    service syslog '{syslog-address: "udp://127.0.0.1:5514", syslog-format: rfc3164, tag: third}'
    compote up -d
    eventually got "^<30>.* $(hostname) third\[[0-9]+\]: to out$"
    kill $receiver
    rm "$SCRATCH"/received*
    receive tcp 127.0.0.1:5515
    service syslog '{syslog-address: "tcp://127.0.0.1:5515", syslog-format: rfc5424micro, tag: fourth}'
    compote up -d
    eventually got "^<30>1 [0-9]{4}-[0-9-]{5}T[0-9:]{8}\.[0-9]{6}Z $(hostname) fourth [0-9]+ fourth - to out$"
    kill $receiver
    rm "$SCRATCH"/received*
    receive unix "$SCRATCH/log"
    service syslog "{syslog-address: 'unixgram://$SCRATCH/log', syslog-format: rfc5424, tag: fifth}"
    compote up -d
    eventually got "^<30>1 [^ .]*Z $(hostname) fifth [0-9]+ fifth - to out$"
}

@test "a receiver that is gone holds up nobody, and is found again" {
    receive tcp 127.0.0.1:5516
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "i=0; while sleep 0.2; do i=$$((i+1)); echo line $$i; done"]
    init: true
    logging: {driver: syslog, options: {syslog-address: "tcp://127.0.0.1:5516"}}
YML
    compote up -d
    eventually got "line 2$"
    kill $receiver
    rm "$SCRATCH"/received*
    before=$(compote logs web | wc -l)
    goes_on() { [ "$(compote logs web | wc -l)" -gt $((before + 3)) ]; }
    eventually goes_on
    receive tcp 127.0.0.1:5516
    eventually got "line "
}

@test "no receiver at the start, and options that mean nothing, are errors" {
    service syslog '{syslog-address: "tcp://127.0.0.1:5517"}'
    run compote up -d
    failed
    has "127.0.0.1" "refused"
    for options in '{syslog-address: "http://x"}' '{syslog-facility: nobody}' '{syslog-format: xml}' '{max-files: "3"}'; do
        service syslog "$options"
        run compote up -d
        failed
    done
    has "unknown log opt 'max-files' for syslog log driver"
    service gelf '{}'
    run compote up -d
    failed
    has "logging driver 'gelf' is not available"
}

@test "journald: fields of the container, labels and variables" {
    # In a mount namespace where the journal's socket is ours; a network namespace would be mounted there, too.
    mkdir "$SCRATCH/journal"
    receive unix "$SCRATCH/journal/socket"
    service journald '{labels: "role", env-regex: "^STA"}'
    sed -i 's/init: true/&\n    network_mode: host/' compose.yml
    compote pull -q
    in_lab unshare -m sh -c 'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal &&
        mount --bind "$1" /run/systemd/journal && "$2" up -d' sh "$SCRATCH/journal" "$build/src/cli/compote"
    eventually got "^CONTAINER_NAME=project-web-1$"
    eventually got "^ROLE=front$"
    id=$(compote ps -q web)
    for field in "^PRIORITY=6$" "^PRIORITY=3$" "^STAGE=test$" "^CONTAINER_ID=${id:0:12}$" "^CONTAINER_TAG=${id:0:12}$" "to out"; do
        got "$field" || fail "$field" "$(cat -v "$SCRATCH/received")"
    done
    run ! got OTHER=
}

@test "json-file: attributes in each record, as many files of a size as wanted" {
    service json-file '{labels: "role,none", env: STAGE, tag: "t {{.ImageName}}", max-size: 1k, max-file: "3"}'
    sed -i 's/exec sleep infinity/for i in $$(seq 100); do echo line $$i; done; exec sleep infinity/' compose.yml
    compote up -d
    rotated() { [ "$(ls "$COMPOTE_ROOT"/containers/*/log | wc -l)" = 3 ]; }
    eventually rotated
    # The last line is there: no file is being replaced any more.
    last() { compote logs web | grep -q 'line 100$'; }
    eventually last
    grep -h '"log":"line' "$COMPOTE_ROOT"/containers/*/log/container.log | head -n 1 |
        python3 -c 'import json, sys; assert json.load(sys.stdin)["attrs"] == {"role": "front", "STAGE": "test", "tag": "t busybox"}'
}
