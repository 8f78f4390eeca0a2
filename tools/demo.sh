#!/bin/bash
# Builds compote, runs the WordPress example, fetches its page, and takes it all down again. Needs root.
#
#   tools/demo.sh           KEEP=1 leaves it running and says how to end it
#
# Where Docker Hub cannot be reached the images are made from Debian packages (once, about two minutes) and come from
# a registry on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
exec </dev/null

[ "$(id -u)" = 0 ] || { echo "demo: needs root: sudo make demo" >&2; exit 1; }
tools/deps.sh run build
tools/build.sh build-rel

work=$(mktemp -d /tmp/compote-demo.XXXXXX)
export COMPOTE_LIBEXEC=$top/build-rel/libexec
export COMPOTE_ROOT=${COMPOTE_ROOT:-/var/tmp/compote-demo}
compote=$top/build-rel/src/cli/compote
page=http://127.0.0.1:8080/

stop_registry()
{
    "$top/tools/registry.sh" stop "$work/registry" 2>/dev/null
}

finish()
{
    local status=$?
    stop_registry
    if [ $status != 0 ] || [ -z "${KEEP:-}" ]; then
        (cd "$top/examples/wordpress" && "$compote" down --volumes) || status=1
    fi
    rm -rf "$work"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

use_local_images()
{
    echo "Docker Hub cannot be reached from here: the images come from a registry on this machine."
    tools/deps.sh demo
    local storage host
    storage=$(tests/images/build.sh mariadb wordpress)
    host=$(tools/registry.sh start "$work/registry" "$storage")
    echo "{\"registries\": {\"docker.io\": {\"mirrors\": [\"http://$host\"]}}}" >"$work/registries.json"
    export COMPOTE_REGISTRIES=$work/registries.json
}

reaches_docker_hub()
{
    command -v curl >/dev/null && curl -s -o "$work/answer" --max-time 4 https://registry-1.docker.io/v2/
}

show()
{
    echo "\$ compote $*"
    "$compote" "$@"
}

reaches_docker_hub || use_local_images
cd examples/wordpress
echo
show up --detach
curl -sS --location --retry 30 --retry-delay 1 --retry-all-errors --noproxy '*' -o "$work/page" \
    -w "\n\$ curl --location $page\n%{http_code} %{url_effective}, %{size_download} bytes\n" "$page" 2>"$work/errors" ||
    { cat "$work/errors" >&2; "$compote" logs --tail 20; exit 1; }
sed -n 's:.*<title>\(.*\)</title>.*:    the page is titled "\1":p' "$work/page"
echo
show ps
echo
if [ -n "${KEEP:-}" ]; then
    echo "It keeps running. Look at $page, and end it with"
    echo "    cd $top/examples/wordpress && COMPOTE_ROOT=$COMPOTE_ROOT COMPOTE_LIBEXEC=$COMPOTE_LIBEXEC $compote down --volumes"
else
    echo "Taking it down again (KEEP=1 make demo leaves it running):"
fi
