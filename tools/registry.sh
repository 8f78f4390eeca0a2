#!/bin/bash
# A private image registry on 127.0.0.1, for the demo and the tests.
#
#   tools/registry.sh start DIR STORAGE [PORT]    prints 127.0.0.1:PORT; a free port unless one is named
#   tools/registry.sh stop DIR
#
# DIR holds what belongs to the running process (configuration, log, process id), STORAGE the images; several
# registries may serve one STORAGE. REGISTRY_HTPASSWD names a file of users (bcrypt) for basic authentication.
set -euo pipefail

write_config()
{
    cat <<YML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $1}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
http:
  addr: 127.0.0.1:$2
  secret: local
YML
    if [ -n "${REGISTRY_HTPASSWD:-}" ]; then
        echo "auth: {htpasswd: {realm: local, path: $REGISTRY_HTPASSWD}}"
    fi
}

# The process that DIR speaks of, if it still runs and is the registry.
running_pid()
{
    local pid
    pid=$(cat "$1/pid" 2>/dev/null) || return 1
    grep -qzF "$1/config.yml" "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

answers()
{
    curl -s -o /dev/null --noproxy '*' "http://$1/v2/"
}

start_on()
{
    local dir=$1 storage=$2 port=$3 pid i
    write_config "$storage" "$port" >"$dir/config.yml"
    setsid docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 </dev/null &
    pid=$!
    echo $pid >"$dir/pid"
    for ((i = 0; i < 500; i++)); do
        kill -0 $pid 2>/dev/null || return 1
        # Another process may have the port and answer: it counts only while ours is alive after the answer.
        if answers "127.0.0.1:$port" && kill -0 $pid 2>/dev/null && ! grep -q 'address already in use' "$dir/log"; then
            echo "$port" >"$dir/port"
            return 0
        fi
        sleep 0.02
    done
    kill $pid
    return 1
}

start()
{
    local dir=$1 storage=$2 port=${3:-} try
    if running_pid "$dir" >/dev/null; then
        echo "127.0.0.1:$(cat "$dir/port")"
        return
    fi
    mkdir -p "$dir" "$storage"
    for ((try = 0; try < 10; try++)); do
        if start_on "$dir" "$storage" "${port:-$((20000 + RANDOM % 10000))}"; then
            echo "127.0.0.1:$(cat "$dir/port")"
            return
        fi
        [ -z "$port" ] || break
    done
    echo "registry: does not start on ${port:-any port}:" >&2
    tail -n 5 "$dir/log" >&2
    exit 1
}

stop()
{
    local dir=$1 pid i
    if pid=$(running_pid "$dir"); then
        kill "$pid"
        for ((i = 0; i < 500; i++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.01
        done
    fi
    rm -f "$dir"/{config.yml,log,pid,port}
    rmdir "$dir" 2>/dev/null || true
}

case "${1:-}:$#" in
start:[34]) start "$(realpath -m "$2")" "$(realpath -m "$3")" "${4:-}" ;;
stop:2) stop "$(realpath -m "$2")" ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
