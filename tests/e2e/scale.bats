load ../lib/harness

@test "fifty services come up, find each other, and leave nothing" {
    { echo services:; for i in $(seq 50); do printf '  s%d: {image: busybox, command: ["sleep", "infinity"], init: true}\n' "$i"; done; } | compose_file
    compote up -d
    [ "$(compote ps -q | wc -l)" = 50 ]
    compote exec -T s1 ping -c 1 -W 2 s50
    compote down -t 1
    check_nothing_left
}

@test "replicas share one published port" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sh", "-c", "mkdir /www; hostname > /www/index.html; exec httpd -f -h /www"], init: true, scale: 3, ports: ["8090:80"]}
YML
    run compote up -d
    [ "$status" = 0 ] || skip "several replicas behind one published port: not offered"
    local seen
    seen=$(for _ in $(seq 60); do page http://198.51.100.1:8090/ || true; done | sort -u | wc -l)
    [ "$seen" -gt 1 ]
}
