# Bridges, namespaces and rules: who reaches whom.
load ../lib/netlab

@test "containers of a network reach each other, the host and the world; the world sees the host's address" {
    network front 1
    container c1 1 2
    container c2 1 3
    serve inside c1 -- 80 c1
    serve outside -- 90 world
    reaches inside c2 -- 10.89.1.2 80 "c1 10.89.1.3"
    reaches inside c2 -- fd00:89:1::2 80 "c1 fd00:89:1::3"
    reaches in_lab -- 10.89.1.2 80 "c1 10.89.1.1"
    reaches inside c1 -- 198.51.100.2 90 "world 198.51.100.1"
    reaches inside c1 -- fd00:51::2 90 "world fd00:51::1"
}

@test "a published port is reached from everywhere" {
    network front 1
    container c1 1 2
    container c2 1 3
    serve inside c1 -- 80 c1
    record c1 "network front 10.89.1.2 fd00:89:1::2 c1" "port tcp - 8080 10.89.1.2 80" "port udp - 8080 10.89.1.2 80"
    netctl ports-add "tcp;;8080;10.89.1.2;80" "tcp;;8080;fd00:89:1::2;80" "udp;;8080;10.89.1.2;80" \
        "udp;;8080;fd00:89:1::2;80"
    local from address
    for address in 127.0.0.1 198.51.100.1 10.89.1.1 ::1 fd00:51::1 fd00:89:1::1; do
        reaches in_lab -- $address 8080 c1
        reaches_udp in_lab -- $address 8080 c1
    done
    # From outside the client's own address is seen.
    reaches outside -- 198.51.100.1 8080 "c1 198.51.100.2"
    reaches outside -- fd00:51::1 8080 "c1 fd00:51::2"
    reaches_udp outside -- 198.51.100.1 8080 "c1 198.51.100.2"
    # By way of the host: another container, and the container itself.
    for from in c1 c2; do
        for address in 198.51.100.1 10.89.1.1 fd00:51::1 fd00:89:1::1; do
            reaches inside $from -- $address 8080 c1
            reaches_udp inside $from -- $address 8080 c1
        done
    done
}

@test "a port published on 127.0.0.1 is for this machine only, even with route_localnet" {
    network front 1
    container c1 1 2
    serve inside c1 -- 80 c1
    record c1 "network front 10.89.1.2 - c1" "port tcp 127.0.0.1 8080 10.89.1.2 80"
    netctl ports-add "tcp;127.0.0.1;8080;10.89.1.2;80"
    reaches in_lab -- 127.0.0.1 8080 c1
    is_cut_off in_lab -- 198.51.100.1 8080
    is_cut_off outside -- 198.51.100.1 8080
    in_lab sysctl -qw net.ipv4.conf.all.route_localnet=1
    outside ip route add 127.0.0.1 via 198.51.100.1 table 100
    outside ip rule add to 127.0.0.1 iif lo lookup 100 pref 0 || true
    outside sysctl -qw net.ipv4.conf.all.route_localnet=1
    is_cut_off outside -- 127.0.0.1 8080
}

@test "a port published on one address is not on the others" {
    network front 1
    container c1 1 2
    serve inside c1 -- 80 c1
    record c1 "network front 10.89.1.2 - c1" "port tcp 198.51.100.1 8080 10.89.1.2 80"
    netctl ports-add "tcp;198.51.100.1;8080;10.89.1.2;80"
    reaches outside -- 198.51.100.1 8080 c1
    reaches in_lab -- 198.51.100.1 8080 c1
    is_cut_off in_lab -- 127.0.0.1 8080
    is_cut_off in_lab -- 10.89.1.1 8080
}

@test "a container without IPv6 is reached through IPv6 addresses of the host" {
    netctl network-create front cpt1 10.89.1.0/24 10.89.1.1
    remember_network front 1
    container4 c1 1 2
    serve inside c1 -- 80 c1
    record c1 "network front 10.89.1.2 - c1" "port tcp - 8080 10.89.1.2 80" "port udp - 8080 10.89.1.2 80"
    netctl ports-add "tcp;;8080;10.89.1.2;80" "udp;;8080;10.89.1.2;80"
    reaches in_lab -- ::1 8080 c1
    reaches_udp in_lab -- ::1 8080 c1
    reaches outside -- fd00:51::1 8080 c1
    reaches_udp outside -- fd00:51::1 8080 c1
}

@test "an outside host that routes to containers gets to nothing that is not published" {
    network front 1
    container c1 1 2
    serve inside c1 -- 80 c1
    serve inside c1 -- 81 c1
    netctl ports-add "tcp;;8080;10.89.1.2;80"
    is_cut_off outside -- 10.89.1.2 81
    # Not past the published port either.
    is_cut_off outside -- 10.89.1.2 80
    is_cut_off outside -- fd00:89:1::2 80
    reaches outside -- 198.51.100.1 8080 c1
}

@test "networks are isolated from each other; published ports are not" {
    network front 1
    network back 2
    container c1 1 2
    container c2 2 2
    serve inside c2 -- 80 c2
    is_cut_off inside c1 -- 10.89.2.2 80
    is_cut_off inside c1 -- fd00:89:2::2 80
    netctl ports-add "tcp;;8080;10.89.2.2;80"
    reaches inside c1 -- 198.51.100.1 8080 c2
    # Neither by a detour over the gateway's address of the other network.
    is_cut_off inside c1 -- 10.89.2.2 80
    # Isolation is a property that can change.
    network front 1 open
    network back 2 open
    reaches inside c1 -- 10.89.2.2 80 "c2 10.89.1.2"
    network back 2
    is_cut_off inside c1 -- 10.89.2.2 80
}

@test "an internal network has no way out and nobody gets in" {
    network inner 1 internal
    network front 2
    container c1 1 2
    container c2 1 3
    container c3 2 2
    serve inside c1 -- 80 c1
    serve outside -- 90 world
    serve inside c3 -- 80 c3
    netctl ports-add "tcp;;8080;10.89.1.2;80" "tcp;;8081;10.89.2.2;80"
    reaches inside c2 -- 10.89.1.2 80 c1
    is_cut_off inside c1 -- 198.51.100.2 90
    is_cut_off inside c1 -- fd00:51::2 90
    is_cut_off inside c1 -- 10.89.2.2 80
    is_cut_off inside c1 -- 198.51.100.1 8081
    is_cut_off inside c3 -- 10.89.1.2 80
    is_cut_off outside -- 10.89.1.2 80
    is_cut_off outside -- 198.51.100.1 8080
    reaches outside -- 198.51.100.1 8081 c3
}

@test "without masquerading containers go out with their own address" {
    network front 1 nomasq
    container c1 1 2
    serve outside -- 90 world
    reaches inside c1 -- 198.51.100.2 90 "world 10.89.1.2"
}

@test "making everything twice changes nothing" {
    network front 1
    container c1 1 2
    netctl ports-add "tcp;;8080;10.89.1.2;80" "tcp;127.0.0.1;8081;10.89.1.2;80" "tcp;198.51.100.1;82;10.89.1.2;80"
    in_lab nft list ruleset >"$LAB/rules"
    in_lab ip -o link >"$LAB/links"
    inside c1 ip addr | grep -v valid_lft >"$LAB/addresses"
    network front 1
    container c1 1 2
    netctl ports-add "tcp;;8080;10.89.1.2;80" "tcp;127.0.0.1;8081;10.89.1.2;80" "tcp;198.51.100.1;82;10.89.1.2;80"
    in_lab nft list ruleset | diff "$LAB/rules" -
    in_lab ip -o link | diff "$LAB/links" -
    inside c1 ip addr | grep -v valid_lft | diff "$LAB/addresses" -
}

@test "what is half made or damaged is made right" {
    network front 1
    container c1 1 2
    serve inside c1 -- 80 c1
    # The bridge lost its address and is down, the rules are gone, the interface left the bridge.
    in_lab ip addr flush dev cpt1
    in_lab ip link set cpt1 down
    in_lab nft flush ruleset
    in_lab ip link set cpv-c1 nomaster
    network front 1
    container c1 1 2
    netctl ports-add "tcp;;8080;10.89.1.2;80"
    reaches in_lab -- 10.89.1.2 80 c1
    reaches outside -- 198.51.100.1 8080 c1
    # One end of the pair is gone, or only its address.
    in_lab ip link del cpv-c1
    container c1 1 2
    reaches in_lab -- 10.89.1.2 80 c1
    inside c1 ip addr flush dev eth0
    container c1 1 2
    reaches in_lab -- 10.89.1.2 80 c1
    # A namespace whose mount is gone but whose file is left.
    in_lab umount -l "$RUN/netns/c1"
    container c1 1 2
    inside c1 ip -br addr show eth0 | grep -q 10.89.1.2/24
}

@test "a port passes to its successor, whose entry the predecessor cannot remove" {
    network front 1
    container c1 1 2
    container c2 1 3
    serve inside c1 -- 80 c1
    serve inside c2 -- 80 c2
    netctl ports-add "tcp;;8080;10.89.1.2;80"
    reaches outside -- 198.51.100.1 8080 c1
    netctl ports-add "tcp;;8080;10.89.1.3;80"
    reaches outside -- 198.51.100.1 8080 c2
    netctl ports-remove "tcp;;8080;10.89.1.2;80"
    reaches outside -- 198.51.100.1 8080 c2
    netctl ports-remove "tcp;;8080;10.89.1.3;80"
    netctl ports-remove "tcp;;8080;10.89.1.3;80"
    is_cut_off outside -- 198.51.100.1 8080
}

@test "a UDP client that goes on sending reaches the container that took over the port" {
    network front 1
    container c1 1 2
    container c2 1 3
    serve inside c1 -- 80 c1
    serve inside c2 -- 80 c2
    netctl ports-add "udp;;8080;10.89.1.2;80"
    # One socket for all, so that it is one flow.
    # shellcheck disable=SC2016
    outside bash -c 'exec 4<>/dev/udp/198.51.100.1/8080
        echo hello >&4; timeout 3 head -n 1 <&4; touch "$0/first"
        while [ ! -e "$0/moved" ]; do :; done
        echo hello >&4; timeout 3 head -n 1 <&4' "$LAB" >"$LAB/seen" &
    eventually [ -e "$LAB/first" ]
    netctl ports-add "udp;;8080;10.89.1.3;80"
    touch "$LAB/moved"
    wait $!
    [ "$(cut -d' ' -f1 "$LAB/seen" | xargs)" = "c1 c2" ]
}

@test "removing a network takes its interfaces along, whatever lives in the namespaces" {
    network front 1
    network back 2
    container c1 1 2
    container c2 2 2
    serve inside c2 -- 80 c2
    background inside c1 sleep infinity
    netctl network-remove front cpt1 10.89.1.0/24 10.89.1.1 fd00:89:1::/64 fd00:89:1::1
    run ! in_lab ip link show cpt1
    run ! in_lab ip link show cpv-c1
    reaches in_lab -- 10.89.2.2 80 c2
    netctl network-remove front cpt1 10.89.1.0/24 10.89.1.1
}

@test "removing the last network and the table leaves the other's rules alone" {
    in_lab nft add table inet other
    network front 1
    run -0 in_lab nft list tables
    [[ $output == *"inet compote"* ]]
    netctl table-remove
    run -0 in_lab nft list tables
    [[ $output == *"inet compote"* ]]
    netctl network-remove front cpt1 10.89.1.0/24 10.89.1.1
    netctl table-remove
    run -0 in_lab nft list tables
    [ "$output" = "table inet other" ]
    in_lab nft delete table inet other
}

@test "two roots keep out of each other's way" {
    network front 1
    container c1 1 2
    serve inside c1 -- 80 c1
    netctl ports-add "tcp;;8080;10.89.1.2;80"
    TABLE=compote_12345678 netctl network-create back cpt2 10.89.2.0/24 10.89.2.1
    container4 c2 2 2
    serve inside c2 -- 80 c2
    TABLE=compote_12345678 netctl ports-add "tcp;;8081;10.89.2.2;80"
    reaches outside -- 198.51.100.1 8080 c1
    reaches outside -- 198.51.100.1 8081 c2
    is_cut_off inside c1 -- 10.89.2.2 80
    is_cut_off inside c2 -- 10.89.1.2 80
    stop_background
    netctl netns-remove "$RUN/netns/c2"
    TABLE=compote_12345678 netctl network-remove back cpt2 10.89.2.0/24 10.89.2.1
    TABLE=compote_12345678 netctl table-remove
    serve inside c1 -- 80 c1
    reaches outside -- 198.51.100.1 8080 c1
}

@test "containers ignore router advertisements; without IPv6 they have no link-local address" {
    network front 1
    container c1 1 2
    container4 c2 1 3
    [ "$(inside c1 cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" = 0 ]
    [ "$(inside c1 cat /proc/sys/net/ipv6/conf/eth0/accept_redirects)" = 0 ]
    run -0 inside c2 ip -6 -br addr show eth0
    [ -z "$output" ]
    inside c2 ip -br addr show lo | grep -q 127.0.0.1/8
    run -0 inside c1 cat /sys/class/net/eth0/address
    [ "$output" = 02:42:0a:59:01:02 ] || in_lab nsenter --net="$RUN/netns/c1" ip link show eth0 | grep -q 02:42:0a:59:01:02
}

@test "a host that follows router advertisements still does after a network with IPv6" {
    in_lab sysctl -qw net.ipv6.conf.uplink.accept_ra=1 net.ipv6.conf.all.forwarding=0
    network front 1
    [ "$(in_lab cat /proc/sys/net/ipv6/conf/all/forwarding)" = 1 ]
    [ "$(in_lab cat /proc/sys/net/ipv6/conf/uplink/accept_ra)" = 2 ]
}

@test "no endpoint is network_mode none: loopback and nothing else" {
    netctl netns-create "$RUN/netns/c1"
    run -0 inside c1 ip -br link
    [ "${#lines[@]}" -eq 1 ]
    inside c1 ip -br addr show lo | grep -q 127.0.0.1/8
}

@test "errors say which network and what is wrong" {
    run -1 netctl network-create front cpt1 10.89.1.0/24 10.90.0.1
    [ "$output" = "network 'front': gateway '10.90.0.1' is not inside subnet '10.89.1.0/24'" ]
    run -1 netctl network-create front lo 10.89.1.0/24 10.89.1.1
    [ "$output" = "network 'front': interface 'lo' is there and is not a bridge" ]
    netctl network-remove front nosuch 10.89.1.0/24 10.89.1.1
    run -1 netctl netns-create "$RUN/netns/c1" cpt9 eth0 cpv-c1 10.89.1.2/24 - - - -
    [ "$output" = "interface 'eth0': there is no bridge 'cpt9'" ]
    run -1 netctl netns-create "$RUN/netns/c1" cpt9 eth0 cpv-c1 10.89.1.2/24 - - - 02:42:xx:00:00:01
    [ "$output" = "interface 'eth0': '02:42:xx:00:00:01' is not a MAC address" ]
    in_lab nft flush ruleset
}

@test "free subnets avoid the machine's routes and name servers" {
    in_lab ip link add dummy0 type bridge
    in_lab ip addr add 10.89.0.1/24 dev dummy0
    in_lab ip link set dummy0 up
    run -0 netctl choose-subnet
    [ "$output" = "10.89.1.0/24 10.89.1.1" ]
    in_lab ip route add 10.89.0.0/20 via 198.51.100.2
    run -0 netctl choose-subnet
    [ "$output" = "10.89.16.0/24 10.89.16.1" ]
    echo 'nameserver 10.89.16.53' >>"$LAB/resolv.conf"
    run -0 netctl choose-subnet 10.89.17.0/24
    [ "$output" = "10.89.18.0/24 10.89.18.1" ]
    in_lab ip link del dummy0
}
