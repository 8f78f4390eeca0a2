# compote-netd: names, forwarded ports, and its life.
load ../lib/netlab

# Two networks; c1 and c2 are "web" on front, db is on back with c2.
shop()
{
    network front 1
    network back 2
    container c1 1 2
    netctl netns-create "$RUN/netns/c2" cpt1 eth0 cpv-c2 10.89.1.3/24 - 10.89.1.1 - - \
        cpt2 eth1 cpv-c2b 10.89.2.3/24 - - - -
    container4 db 2 4
    record c1 "network front 10.89.1.2 fd00:89:1::2 web shop-web-1"
    record c2 "network front 10.89.1.3 - web shop-web-2" "network back 10.89.2.3 - web shop-web-2"
    record db "network back 10.89.2.4 - db shop-db-1"
}

resolver()
{
    background outside "$build/tests/fake_resolver" "${2:-198.51.100.2}" "$1"
    eventually resolver_is_up "${2:-198.51.100.2}"
}

resolver_is_up()
{
    outside bash -c "exec 4<>/dev/tcp/$1/53" 2>/dev/null
}

netd_pid()
{
    pgrep -f "^$LIBEXEC/compote-netd $1$" --ns "$LAB_PID" --nslist net
}

is_gone()
{
    [ ! -e "/proc/$1/fd" ] || [ "$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)" = Z ]
}

@test "names are answered among containers that share a network" {
    shop
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 WEB A tcp
    answers "NOERROR 10.89.1.3" c1 shop-web-2 A
    answers "NOERROR fd00:89:1::2" c2 web AAAA
    answers "NOERROR 10.89.2.4" c2 db A
    answers "NOERROR" c2 db AAAA
    answers "NOERROR 10.89.2.3" db web A
    answers "NOERROR 10.89.2.3" c2 web.back A
    answers "NOERROR web.front." c2 2.1.89.10.in-addr.arpa PTR
    answers "NOERROR" c1 web MX
}

@test "a container's own name server on port 53 is not in the way" {
    shop
    serve inside c1 -- 53 mine
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A tcp
    reaches inside c2 -- 10.89.1.2 53 mine
    reaches_udp inside c1 -- 127.0.0.1 53 mine
}

@test "other names are asked of the host's resolver, over UDP and TCP" {
    shop
    resolver answer
    answers "NOERROR 192.0.2.1" c1 example.org A
    answers "NOERROR 192.0.2.1" c1 example.org A tcp
    # Nothing on front, so nobody answers db for c1 but the resolver.
    answers "NOERROR 192.0.2.1" c1 db A
}

@test "a response code of the resolver reaches the container" {
    shop
    resolver 3
    answers "NXDOMAIN" c1 example.org A
    answers "NXDOMAIN" c1 example.org A tcp
}

@test "the next resolver is asked when one refuses, and when one is silent" {
    shop
    outside ip addr add 198.51.100.3/24 dev uplink
    outside ip addr add 198.51.100.4/24 dev uplink
    printf 'nameserver 198.51.100.2\nnameserver 198.51.100.3\nnameserver 198.51.100.4\n' >"$LAB/resolv.conf"
    resolver 2
    resolver silent 198.51.100.3
    resolver answer 198.51.100.4
    answers "NOERROR 192.0.2.1" c1 example.org A
}

@test "when all resolvers refuse, the last refusal is the answer; when there is none, SERVFAIL" {
    shop
    resolver 5
    answers "REFUSED" c1 example.org A
    echo "# none" >"$LAB/resolv.conf"
    answers "SERVFAIL" c1 example.org A
    answers "SERVFAIL" c1 example.org A tcp
    echo "nameserver 203.0.113.1" >"$LAB/resolv.conf"
    answers "SERVFAIL" c1 example.org A
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
}

@test "a reply with another id is not believed" {
    shop
    resolver forged
    answers "NOERROR 192.0.2.1" c1 example.org A
}

@test "a truncated reply sends the container to TCP" {
    shop
    resolver long
    run -0 ask c1 example.org A tcp
    [ "$(wc -w <<<"$output")" -eq 101 ]
}

@test "containers on internal networks get no name from outside, and no query leaves" {
    network inner 1 internal
    container c1 1 2
    record c1 internal "network inner 10.89.1.2 - c1"
    outside "$build/tests/fake_resolver" 198.51.100.2 answer >"$LAB/asked" 2>&1 </dev/null 3>&- &
    echo $! >>"$LAB/pids"
    eventually resolver_is_up 198.51.100.2
    answers "NXDOMAIN" c1 secret.example.org A
    answers "NXDOMAIN" c1 secret.example.org A tcp
    answers "NOERROR 10.89.1.2" c1 c1 A
    [ "$(cat "$LAB/asked")" = ready ]
}

@test "resolv.conf may change while netd runs" {
    shop
    echo "nameserver 198.51.100.9" >"$LAB/resolv.conf"
    outside ip addr add 198.51.100.9/24 dev uplink
    resolver answer 198.51.100.9
    answers "NOERROR 192.0.2.1" c1 example.org A
}

@test "silent TCP clients do not keep others from being answered" {
    shop
    local i
    for i in {1..140}; do
        background inside c1 bash -c 'exec 4<>/dev/tcp/127.0.0.11/53; printf "\0\100x" >&4; read -r -u 4'
    done
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
    # Another container is served at once, the same one after they timed out.
    answers "NOERROR 10.89.1.2 10.89.1.3" c2 web A tcp
    WAIT_SECONDS=20 eventually answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A tcp
}

@test "garbage does not stop the answers" {
    shop
    local file
    for file in "$top"/tests/fuzz/corpus/dns/*; do
        inside c1 socat -u "FILE:$file" UDP:127.0.0.11:53
    done
    inside c1 socat -u SYSTEM:'head -c 100000 /dev/urandom' TCP:127.0.0.11:53 || true
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
}

@test "netd has no privileges, and goes with its last record" {
    shop
    local pid
    pid=$(netd_pid shop)
    [ "$(wc -w <<<"$pid")" -eq 1 ]
    [ "$(awk '/^Cap(Prm|Eff|Bnd|Inh)/ {print $2}' "/proc/$pid/status" | sort -u)" = 0000000000000000 ]
    [ "$(awk '/^NoNewPrivs/ {print $2}' "/proc/$pid/status")" = 1 ]
    [ "$(awk '/^Uid/ {print $2, $3, $4, $5}' "/proc/$pid/status")" = "65534 65534 65534 65534" ]
    netctl netd-withdraw shop c1
    answers "NOERROR 10.89.1.3" c2 web.front A
    netctl netd-withdraw shop c2
    netctl netd-withdraw shop db
    is_gone "$pid"
    [ ! -e "$RUN/netd/shop" ]
    netctl netd-withdraw shop db
    netctl netd-stop shop
}

@test "a killed netd is started again with everything it had" {
    shop
    serve inside c1 -- 80 c1
    record c1 "network front 10.89.1.2 - web" "port tcp - 8080 10.89.1.2 80"
    reaches in_lab -- 127.0.0.1 8080 c1
    local pid
    pid=$(netd_pid shop)
    kill -9 "$pid"
    eventually is_gone "$pid"
    is_cut_off in_lab -- 127.0.0.1 8080
    netctl netd-ensure shop
    reaches in_lab -- 127.0.0.1 8080 c1
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
    [ "$(netd_pid shop)" != "$pid" ]
    # Running already: the same one goes on.
    pid=$(netd_pid shop)
    netctl netd-ensure shop
    [ "$(netd_pid shop)" = "$pid" ]
    # Publishing starts it too.
    kill -9 "$pid"
    eventually is_gone "$pid"
    record db "network back 10.89.2.4 - db database"
    answers "NOERROR 10.89.2.4" c2 database A
    reaches in_lab -- 127.0.0.1 8080 c1
}

@test "two publishers at once start one netd" {
    network front 1
    local i pids=()
    for i in {1..12}; do container4 "c$i" 1 $((i + 1)); done
    for i in {1..12}; do
        record "c$i" "network front 10.89.1.$((i + 1)) - web" 3>&- &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    [ "$(netd_pid shop | wc -l)" -eq 1 ]
    run -0 ask c1 web A
    [ "$(wc -w <<<"$output")" -eq 13 ]
}

@test "a taken port is an error that names the holder" {
    shop
    background in_lab socat TCP-LISTEN:8080,reuseaddr,fork PIPE
    eventually in_lab bash -c 'exec 4<>/dev/tcp/127.0.0.1/8080'
    run -11 netctl port-check "tcp;;8080;10.89.1.2;80"
    [[ $output =~ ^process\ [0-9]+\ \(socat\)$ ]]
    run -1 record c1 "network front 10.89.1.2 - web" "port tcp - 8080 10.89.1.2 80"
    [[ $output =~ ^port\ 8080/tcp\ of\ 0\.0\.0\.0\ is\ already\ in\ use\ by\ process\ [0-9]+\ \(socat\)$ ]]
    # What was published before still is.
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
    netctl port-check "udp;;8080;10.89.1.2;80"
    run -1 netctl port-check "tcp;203.0.113.7;8080;10.89.1.2;80"
    [ "$output" = "this machine does not have the address 203.0.113.7" ]
}

@test "a published port is reserved on the host until it is withdrawn" {
    shop
    record c1 "network front 10.89.1.2 - web" "port tcp - 8080 10.89.1.2 80" "port udp - 8080 10.89.1.2 80"
    run ! in_lab socat -u OPEN:/dev/null TCP-LISTEN:8080,reuseaddr
    run -11 netctl port-check "tcp;;8080;10.89.1.2;80"
    [[ $output == *"(compote-netd)" ]]
    run -11 netctl port-check "udp;;8080;10.89.1.2;80"
    record c1 "network front 10.89.1.2 - web"
    netctl port-check "tcp;;8080;10.89.1.2;80"
    netctl port-check "udp;;8080;10.89.1.2;80"
}

@test "replicas that share a published port take turns" {
    shop
    serve inside c1 -- 80 c1
    serve inside c2 -- 80 c2
    record c1 "network front 10.89.1.2 - web" "port tcp - 8080 10.89.1.2 80"
    record c2 "network front 10.89.1.3 - web" "port tcp - 8080 10.89.1.3 80"
    local i
    for i in 1 2 3 4; do in_lab bash -c 'tcp 127.0.0.1 8080'; done >"$LAB/seen"
    [ "$(grep -c "^c1" "$LAB/seen")" -eq 2 ]
    [ "$(grep -c "^c2" "$LAB/seen")" -eq 2 ]
    netctl netd-withdraw shop c1
    reaches in_lab -- 127.0.0.1 8080 c2
    reaches in_lab -- 127.0.0.1 8080 c2
}

@test "a forwarded stream arrives whole, both ways, and half-closed" {
    shop
    record c1 "network front 10.89.1.2 - web" "port tcp - 8080 10.89.1.2 80"
    head -c 20000000 /dev/urandom >"$LAB/data"
    # The container sends back everything once it has seen the end.
    background inside c1 socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:"cat >$LAB/copy && cat $LAB/copy"
    eventually inside c1 bash -c 'grep -q ":0050 .* 0A " /proc/net/tcp'
    in_lab socat -t20 - TCP:127.0.0.1:8080 <"$LAB/data" >"$LAB/back"
    cmp "$LAB/data" "$LAB/back"
    cmp "$LAB/data" "$LAB/copy"
}

@test "a connection to a container that refuses is reset" {
    shop
    record c1 "network front 10.89.1.2 - web" "port tcp - 8080 10.89.1.2 80"
    run in_lab bash -c 'exec 4<>/dev/tcp/127.0.0.1/8080 && cat <&4'
    [[ $output == *"Connection reset by peer" ]]
}

@test "a container that comes back with a new namespace is answered there" {
    shop
    netctl netns-remove "$RUN/netns/c1"
    container c1 1 2
    record c1 "network front 10.89.1.2 - web again"
    answers "NOERROR 10.89.1.2" c1 again A
    answers "NOERROR 10.89.1.2" c2 again A
}

@test "records of other projects are not mixed in" {
    shop
    container4 c9 1 9
    printf 'container c9\nnetns %s\nnetwork lone 10.89.1.9 - web\n' "$RUN/netns/c9" | netctl netd-publish other
    answers "NOERROR 10.89.1.9" c9 web A
    answers "NOERROR 10.89.1.2 10.89.1.3" c1 web A
    [ "$(netd_pid other)" != "$(netd_pid shop)" ]
    netctl netd-stop shop
    answers "NOERROR 10.89.1.9" c9 web A
}

# peer PROJECT NAME LINE...: as record, for another project.
peer()
{
    local project=$1 name=$2
    shift 2
    { printf 'container %s\nnetns %s\n' "$name" "$RUN/netns/$name"; printf '%s\n' "$@"; } | netctl netd-publish "$project"
}

@test "projects that share a network know each other's names there, and only there" {
    shop
    container4 p1 1 8
    container4 p2 1 9
    peer proxy p1 "network front 10.89.1.8 - proxy"
    # Both ways, for who came first and for who came second.
    answers "NOERROR 10.89.1.2 10.89.1.3" p1 web A
    answers "NOERROR 10.89.1.8" c1 proxy A
    answers "NOERROR proxy.front." c1 8.1.89.10.in-addr.arpa PTR
    echo "# none" >"$LAB/resolv.conf"
    answers "SERVFAIL" p1 db A
    # Later ones, changed ones, and ones that go.
    peer proxy p2 "network front 10.89.1.9 - proxy"
    answers "NOERROR 10.89.1.8 10.89.1.9" c1 proxy A
    record c2 "network front 10.89.1.3 - shop-web-2"
    answers "NOERROR 10.89.1.2" p2 web A
    answers "NOERROR 10.89.1.3" p2 shop-web-2 A
    netctl netd-withdraw proxy p2
    answers "NOERROR 10.89.1.8" c1 proxy A
    # A killed netd knows its peers again.
    local pid
    pid=$(netd_pid shop)
    kill -9 "$pid"
    eventually is_gone "$pid"
    netctl netd-ensure shop
    answers "NOERROR 10.89.1.8" c1 proxy A
    # Peers do not keep a netd.
    netctl netd-stop proxy
    answers "SERVFAIL" c1 proxy A
    pid=$(netd_pid shop)
    peer proxy p1 "network front 10.89.1.8 - proxy"
    for pid in c1 c2 db; do netctl netd-withdraw shop $pid; done
    [ ! -e "$RUN/netd/shop" ]
    answers "SERVFAIL" p1 web A
}

@test "netd leaves nothing of its starter open and has no terminal" {
    shop
    local pid
    pid=$(netd_pid shop)
    [ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
    [ "$(readlink "/proc/$pid/fd/1")" = /dev/null ]
    [ "$(readlink "/proc/$pid/fd/2")" = /dev/null ]
    [ "$(readlink "/proc/$pid/cwd")" = / ]
    # Its session is not ours.
    [ "$(ps -o sid= "$pid" | tr -d ' ')" != "$(ps -o sid= $$ | tr -d ' ')" ]
    run ! bash -c "find /proc/$pid/fd -lname '/tmp/*' | grep ."
}
