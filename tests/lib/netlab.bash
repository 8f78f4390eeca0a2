# For the bats files about src/network alone, without containers. Load it, and each test gets:
#
#   the lab       a network and mount namespace of its own that plays this machine, 198.51.100.1 and fd00:51::1
#   outside       another namespace at the end of its uplink: 198.51.100.2 and fd00:51::2, with a route to the lab's
#                 containers, as a hostile neighbour would set one
#
# netctl ARG... drives network.h in the lab; in_lab, outside and inside NAME run commands there and in a container's
# namespace. At the end of each test everything is taken away and compared with the beginning.
#
# bats keeps descriptor 3 for itself: whatever stays behind a command must not hold it, or bats waits for it.

bats_require_minimum_version 1.5.0

top=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
build=${COMPOTE_TEST_BUILD:-build-rel}
build=$(cd "$top" && realpath "$build")
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-60}

hold_namespaces()
{
    unshare "$@" sleep infinity >/dev/null 2>&1 </dev/null 3>&- 9>&- &
    held=$!
    local own
    own=$(readlink /proc/self/ns/net)
    while [ "$(readlink "/proc/$held/ns/net")" = "$own" ]; do kill -0 $held || return 1; done
}

in_lab()
{
    nsenter --net="/proc/$LAB_PID/ns/net" --mount="/proc/$LAB_PID/ns/mnt" --wdns="$LAB" "$@" 3>&-
}

outside()
{
    nsenter --net="/proc/$OUTSIDE_PID/ns/net" "$@" 3>&-
}

inside()
{
    local name=$1
    shift
    in_lab nsenter --net="$RUN/netns/$name" "$@"
}

netctl()
{
    in_lab "$build/tests/netctl" "$@"
}

setup()
{
    [ "$(id -u)" = 0 ] || skip "needs root for namespaces and bridges"
    LAB=$(mktemp -d /tmp/compote-netlab.XXXXXX)
    export RUN=$LAB/run TABLE=compote LIBEXEC=$build/src/netd
    mkdir "$RUN"
    hold_namespaces --net --mount
    LAB_PID=$held
    hold_namespaces --net
    OUTSIDE_PID=$held
    in_lab ip link set lo up
    outside ip link set lo up
    in_lab sysctl -qw net.ipv6.conf.default.accept_dad=0
    in_lab ip link add uplink type veth peer name uplink netns "$OUTSIDE_PID"
    in_lab ip addr add 198.51.100.1/24 dev uplink
    in_lab ip addr add fd00:51::1/64 dev uplink nodad
    in_lab ip link set uplink up
    outside ip addr add 198.51.100.2/24 dev uplink
    outside ip addr add fd00:51::2/64 dev uplink nodad
    outside ip link set uplink up
    outside ip route add 10.89.0.0/16 via 198.51.100.1
    outside ip route add fd00:89::/32 via fd00:51::1
    eventually is_up in_lab
    eventually is_up outside
    echo 'nameserver 198.51.100.2' >"$LAB/resolv.conf"
    in_lab mount --bind "$LAB/resolv.conf" /etc/resolv.conf
    snapshot >"$LAB/before"
}

teardown()
{
    [ -n "${LAB:-}" ] || return 0
    local status=0 name
    stop_background
    for name in $(find "$RUN/netd" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null); do netctl netd-stop "$name" || status=1; done
    for name in $(find "$RUN/netns" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null); do netctl netns-remove "$RUN/netns/$name" || status=1; done
    while read -r name n; do
        netctl network-remove "$name" "cpt$n" "10.89.$n.0/24" "10.89.$n.1" "fd00:89:$n::/64" "fd00:89:$n::1" || status=1
    done < <(cat "$LAB/networks" 2>/dev/null)
    netctl table-remove || status=1
    eventually nothing_left || { diff "$LAB/before" "$LAB/after"; status=1; }
    kill "$LAB_PID" "$OUTSIDE_PID"
    rm -rf "$LAB"
    return $status
}

is_up()
{
    "$1" ip -br link show uplink | grep -q ' UP '
}

# Everything in the lab that the library makes, one a line. Dying interfaces of removed namespaces take a moment.
snapshot()
{
    in_lab ip -o link | awk -F': ' '{sub(/@.*/, "", $2); print "link", $2}'
    in_lab ip -o addr | awk '{print "address", $2, $4}' | grep -v fe80
    in_lab nft list ruleset | sed 's/^/nft /'
    in_lab awk -v run="$RUN" 'index($2, run) {print "mount", $2}' /proc/self/mounts
    pgrep --ns "$LAB_PID" --nslist net -a compote-netd | sed 's/^/process /'
    find "$RUN" -mindepth 1 ! -name nft.lock ! -path "$RUN/netd" | sed 's/^/file /'
}

nothing_left()
{
    snapshot >"$LAB/after"
    diff -q "$LAB/before" "$LAB/after" >/dev/null
}

eventually()
{
    local deadline=$((SECONDS + ${WAIT_SECONDS:-10}))
    until "$@"; do
        if [ $SECONDS -ge $deadline ]; then
            echo "never came true: $*"
            return 1
        fi
        sleep 0.02
    done
}

# network NAME N [OPTION...]: bridge cptN with 10.89.N.0/24 and fd00:89:N::/64.
network()
{
    local name=$1 n=$2
    shift 2
    netctl network-create "$name" "cpt$n" "10.89.$n.0/24" "10.89.$n.1" "fd00:89:$n::/64" "fd00:89:$n::1" "$@"
    remember_network "$name" "$n"
}

remember_network()
{
    grep -qx "$1 $2" "$LAB/networks" 2>/dev/null || echo "$1 $2" >>"$LAB/networks"
}

# container NAME N HOST: its namespace, with 10.89.N.HOST and fd00:89:N::HOST on that network.
container()
{
    netctl netns-create "$RUN/netns/$1" "cpt$2" eth0 "cpv-$1" "10.89.$2.$3/24" "fd00:89:$2::$3/64" "10.89.$2.1" \
        "fd00:89:$2::1" -
}

# container4 NAME N HOST: without IPv6.
container4()
{
    netctl netns-create "$RUN/netns/$1" "cpt$2" eth0 "cpv-$1" "10.89.$2.$3/24" - "10.89.$2.1" - -
}

# record NAME LINE...: publishes to the project "shop".
record()
{
    local name=$1
    shift
    { printf 'container %s\nnetns %s\n' "$name" "$RUN/netns/$name"; printf '%s\n' "$@"; } | netctl netd-publish shop
}

# Starts a command in a namespace and remembers it for the end.
background()
{
    "$@" >/dev/null 2>&1 </dev/null 9>&- &
    echo $! >>"$LAB/pids"
}

# Ends what background started, and waits for it: a namespace lives as long as a process is in it.
stop_background()
{
    local pid
    [ -e "$LAB/pids" ] || return 0
    while read -r pid; do
        pkill -KILL --parent "$pid" || true
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done <"$LAB/pids"
    rm -f "$LAB/pids"
}

# serve WHERE... -- PORT TEXT: TCP and UDP on a port, both families; answers TEXT and the client's address.
serve()
{
    local where=()
    while [ "$1" != -- ]; do where+=("$1"); shift; done
    local port=$2 text=$3
    background "${where[@]}" "$build/tests/netctl" serve "$port" "$text"
    eventually is_listening "$port" "${where[@]}"
}

is_listening()
{
    local hex
    hex=$(printf ':%04X 0*:0000' "$1")
    shift
    [ "$("$@" cat /proc/net/{tcp,tcp6,udp,udp6} | grep -cE "$hex 0[A7]")" -ge 2 ]
}

# tcp/udp ADDRESS PORT, after in_lab, outside or inside NAME: what comes back. PATIENCE is for the connection.
tcp()
{
    [[ $1 == *:* ]] && set -- "[$1]" "$2"
    socat -t2 -T2 - "TCP:$1:$2,connect-timeout=${PATIENCE:-3}" </dev/null 2>/dev/null
}

udp()
{
    exec 4<>"/dev/udp/$1/$2" && echo hello >&4 && timeout 3 head -n 1 <&4
}

export -f tcp udp

# reaches / is_refused COMMAND... -- ADDRESS PORT [TEXT]: by TCP, from where the command runs.
reaches()
{
    local where=()
    while [ "$1" != -- ]; do where+=("$1"); shift; done
    local got
    got=$("${where[@]}" bash -c 'tcp "$@"' tcp "$2" "$3") || true
    [[ $got == "${4:-}"* && -n $got ]] || { echo "${where[*]} -> $2 $3: got '$got'"; return 1; }
}

reaches_udp()
{
    local where=()
    while [ "$1" != -- ]; do where+=("$1"); shift; done
    local got
    got=$("${where[@]}" bash -c 'udp "$@"' udp "$2" "$3") || true
    [[ $got == "${4:-}"* && -n $got ]] || { echo "${where[*]} -> udp $2 $3: got '$got'"; return 1; }
}

is_cut_off()
{
    local where=()
    while [ "$1" != -- ]; do where+=("$1"); shift; done
    local got
    got=$(PATIENCE=0.4 "${where[@]}" bash -c 'tcp "$@"' tcp "$2" "$3") || true
    [ -z "$got" ] || { echo "${where[*]} -> $2 $3: got through: '$got'"; return 1; }
}

# ask NAME QUESTION TYPE [tcp]: the code and the sorted answers that a container gets.
ask()
{
    local name=$1
    shift
    inside "$name" "$build/tests/netctl" ask "$@"
}

# answers EXPECTED NAME QUESTION TYPE [tcp]
answers()
{
    local expected=$1 got
    shift
    got=$(ask "$@")
    [ "$got" = "$expected" ] || { echo "$*: '$got', not '$expected'"; return 1; }
}
