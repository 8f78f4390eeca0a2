load ../lib/harness

@test "services find each other by name, alias and container name; replicas answer in turn" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["httpd", "-f", "-h", "/bin"]
    init: true
    hostname: webhost
    networks: {default: {aliases: [www.example.test]}}
    scale: 2
  client: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
    compote up -d
    local name
    for name in web www.example.test project-web-1 project-web-2; do
        compote exec -T client wget -q -O /dev/null "http://$name/busybox"
    done
    run -0 compote exec -T client nslookup web 127.0.0.11
    [ "$(grep -cE '^Address[ 0-9]*: [0-9.]+$' <<<"$output")" = 2 ]
    run compote exec -T client nslookup nosuchname.example.invalid 127.0.0.11
    failed
    run -0 compote exec -T web hostname
    [ "$output" = webhost ]
}

@test "links are names for one container alone; names in capitals are found in any case" {
    compose_file <<'YML'
services:
  Web: {image: busybox, command: ["httpd", "-f", "-h", "/bin"], init: true}
  linked: {image: busybox, command: ["sleep", "infinity"], init: true, links: ["Web:Front"]}
  other: {image: busybox, command: ["sleep", "infinity"], init: true, external_links: ["project-Web-1:outer"]}
YML
    compote up -d
    local name
    for name in front FRONT Web web project-Web-1; do
        compote exec -T linked wget -q -O /dev/null "http://$name/busybox"
    done
    compote exec -T other wget -q -O /dev/null http://outer/busybox
    run compote exec -T other wget -q -T 2 -O /dev/null http://front/busybox
    failed
}

@test "dns: names are asked of the container's own server" {
    compose_file <<'YML'
services:
  asker: {image: busybox, command: ["sleep", "infinity"], init: true, dns: 198.51.100.2}
YML
    outside "$build/tests/fake_resolver" 198.51.100.2 answer >"$SCRATCH/asked" 2>&1 </dev/null &
    echo $! >"$SCRATCH/resolver"
    compote up -d
    eventually asker_gets 192.0.2.1
    run -0 compote exec -T asker nslookup asker 127.0.0.11
    has_not 192.0.2.1
}

asker_gets()
{
    compote exec -T asker nslookup name.example.test 127.0.0.11 | grep -q "$1"
}

cleanup()
{
    [ ! -e "$SCRATCH/resolver" ] || kill "$(cat "$SCRATCH/resolver")"
}

@test "networks are apart from each other, and internal ones have no way out" {
    compose_file <<'YML'
services:
  a: {image: busybox, command: ["httpd", "-f", "-h", "/bin"], init: true, networks: [front]}
  b: {image: busybox, command: ["sleep", "infinity"], init: true, networks: [back]}
  c: {image: busybox, command: ["sleep", "infinity"], init: true, networks: [front, back]}
networks:
  front: {}
  back: {internal: true}
YML
    compote up -d
    compote exec -T c wget -q -O /dev/null http://a/busybox
    run compote exec -T b wget -q -T 2 -O /dev/null http://a/busybox
    failed
    compote exec -T a ping -c 1 -W 2 198.51.100.2
    run compote exec -T b ping -c 1 -W 1 198.51.100.2
    failed
    run compote exec -T b sh -c "wget -q -T 1 -O /dev/null http://$(address_of a)/busybox"
    failed
}

address_of()
{
    compote exec -T "$1" ip -4 -o addr show eth0 | awk '{sub("/.*", "", $4); print $4}'
}

@test "published ports: ranges, UDP, one address only" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "httpd -f -p 81 -h /bin & exec httpd -f -p 80 -h /bin"]
    init: true
    ports: ["8090-8091:80-81", "127.0.0.1:8092:80"]
  echo:
    image: nginx
    stop_signal: SIGKILL
    ports: ["8099:9/udp"]
    command:
    - perl
    - -MIO::Socket::INET
    - -e
    - |
      my $$socket = IO::Socket::INET->new(LocalPort => 9, Proto => "udp");
      while (my $$from = $$socket->recv(my $$data, 1500)) { $$socket->send($$data, 0, $$from) }
YML
    compote up -d
    local port
    for port in 8090 8091; do
        eventually page "http://127.0.0.1:$port/busybox" -o /dev/null
        page_outside "http://198.51.100.1:$port/busybox" -o /dev/null
    done
    page http://127.0.0.1:8092/busybox -o /dev/null
    run page_outside http://198.51.100.1:8092/busybox -o /dev/null
    failed
    eventually echoes outside 198.51.100.1
    eventually echoes in_lab 127.0.0.1
}

echoes()
{
    [ "$(echo over udp | "$1" socat -t 0.5 - "UDP:$2:8099" 2>/dev/null)" = "over udp" ]
}

@test "a published port over IPv6" {
    in_lab ip -6 addr add 2001:db8::1/64 dev uplink nodad
    outside ip -6 addr add 2001:db8::2/64 dev uplink nodad
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["httpd", "-f", "-h", "/bin"], init: true, ports: ["8090:80"]}
YML
    compote up -d
    eventually page 'http://[::1]:8090/busybox' -o /dev/null
    page_outside 'http://[2001:db8::1]:8090/busybox' -o /dev/null
    in_lab ip -6 addr del 2001:db8::1/64 dev uplink
    outside ip -6 addr del 2001:db8::2/64 dev uplink
}

@test "a port that is taken is an error that names it, and nothing stays" {
    nsenter --net="/proc/$LAB_PID/ns/net" socat TCP-LISTEN:8090,reuseaddr,fork /dev/null 3>&- &
    local pid=$!
    eventually in_lab socat /dev/null TCP:127.0.0.1:8090
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["httpd", "-f", "-h", "/bin"], init: true, ports: ["8090:80"]}
YML
    run compote up -d
    kill $pid
    wait $pid || true
    failed
    has 8090
    compote up -d
    eventually page http://127.0.0.1:8090/busybox -o /dev/null
}

@test "network_mode none, host and service" {
    compose_file <<'YML'
services:
  none: {image: busybox, command: ["sleep", "infinity"], init: true, network_mode: none}
  host: {image: busybox, command: ["httpd", "-f", "-p", "8095", "-h", "/bin"], init: true, network_mode: host}
  main: {image: busybox, command: ["httpd", "-f", "-h", "/bin"], init: true}
  side: {image: busybox, command: ["sleep", "infinity"], init: true, network_mode: "service:main"}
YML
    compote up -d
    run -0 compote exec -T none ls /sys/class/net
    [ "$output" = lo ]
    eventually page http://127.0.0.1:8095/busybox -o /dev/null
    compote exec -T side wget -q -O /dev/null http://127.0.0.1/busybox
    [ "$(compote exec -T side hostname)" = "$(compote exec -T main hostname)" ]
}

@test "static addresses, own subnets, extra hosts" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    networks: {lan: {ipv4_address: 10.213.7.42}}
    extra_hosts: ["upstream.test:198.51.100.2"]
networks:
  lan: {ipam: {config: [{subnet: 10.213.7.0/24}]}}
YML
    compote up -d
    [ "$(address_of web)" = 10.213.7.42 ]
    compote exec -T web ping -c 1 -W 2 upstream.test
}

@test "an IPv6 subnet of the file needs no gateway, and an address must be in it" {
    compose_file <<'YML'
services:
  a: {image: busybox, command: ["sleep", "infinity"], init: true, networks: {six: {ipv6_address: "fd00:5::77"}}}
  b: {image: busybox, command: ["sleep", "infinity"], init: true, networks: [six]}
networks: {six: {enable_ipv6: true, ipam: {config: [{subnet: "fd00:5::/64"}]}}}
YML
    compote up -d
    compote exec -T b ping -6 -c 1 -W 2 fd00:5::77
    compote exec -T b ping -6 -c 1 -W 2 fd00:5::1
    compote down
    sed -i 's/fd00:5::77/fd00:6::77/' compose.yml
    run compote up -d
    failed
    has "address fd00:6::77 is not in network"
}

@test "pid and ipc of another service" {
    compose_file <<'YML'
services:
  owner: {image: busybox, command: ["sleep", "4242"], init: true}
  guest: {image: busybox, command: ["sleep", "infinity"], init: true, pid: "service:owner", ipc: "service:owner"}
YML
    compote up -d
    run -0 compote exec -T guest ps
    has "sleep 4242"
    [ "$(compote exec -T guest readlink /proc/self/ns/ipc)" = "$(compote exec -T owner readlink /proc/self/ns/ipc)" ]
    sed -i 's/ipc: "service:owner"/ipc: "somewhere"/' compose.yml
    run -1 compote up -d
    has "ipc: 'somewhere' is not"
}
