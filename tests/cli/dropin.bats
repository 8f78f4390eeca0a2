# compote under the name docker-compose, driven by a program that knows nothing of it: the npm package docker-compose.
load ../lib/harness

# Where the package comes from, with its one dependency; SHA-512 as the npm registry tells it, in hexadecimal.
npm_registry=https://registry.npmjs.org

# fetch NAME VERSION SHA512: into the cache.
fetch()
{
    local file=$1-$2.tgz
    if [ ! -e "$packages/$file" ]; then
        curl -sS --fail --max-time 60 -o "$packages/$file.part.$$" "$npm_registry/$1/-/$file" || return 1
        mv "$packages/$file.part.$$" "$packages/$file"
    fi
    echo "$3  $packages/$file" | sha512sum --check --quiet || { rm -f "$packages/$file"; return 1; }
    mkdir -p "$LAB/node_modules/$1"
    tar -x -z -f "$packages/$file" -C "$LAB/node_modules/$1" --strip-components=1
}

prepare_file()
{
    command -v node >/dev/null || skip "needs node (tools/deps.sh test)"
    local packages=${COMPOTE_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/compote-test}/npm
    mkdir -p "$packages" "$LAB/bin"
    fetch docker-compose 1.5.0 3be783e9ceb7f8124e45459d75703bb80948e87d4a2c33ddfda4b5e24ef79d762916588ce3c0b7c6baca077b17b11d45a7fac751941eefe7c9f9003bfa37a9cb || skip "the npm registry cannot be reached"
    fetch yaml 2.8.1 95c61c3315f63cef57306bc02642773ac34cc3effb14a7aceff8607ab1946162285aee63ffe610a9c66be499cf656cceb0406031b49b8924e7fddbffebd324a7 || skip "the npm registry cannot be reached"
    ln -s "$build/src/cli/compote" "$LAB/bin/docker-compose"
    # `docker compose`, as tools call it that do not know the old name.
    printf '#!/bin/sh\nexec %s/bin/docker-compose "$@"\n' "$LAB" >"$LAB/bin/docker"
    chmod 755 "$LAB/bin/docker"
}

docker_compose()
{
    in_lab "$LAB/bin/docker-compose" "$@"
}

@test "as docker-compose it gives docker compose's name and version" {
    run -0 docker_compose version
    [[ $output =~ ^Docker\ Compose\ version\ v2\.[0-9]+\.[0-9]+$ ]]
    run -0 docker_compose --version
    [[ $output =~ ^Docker\ Compose\ version\ v2\.[0-9]+\.[0-9]+$ ]]
    run -0 docker_compose version --short
    [[ $output =~ ^2\.[0-9]+\.[0-9]+$ ]]
    run -0 docker_compose version --format json
    jq -e '.version | startswith("v2.")' <<<"$output"
    run -0 docker_compose compose version --short # how the docker command calls a plugin
    [[ $output =~ ^2\. ]]
    echo 'services: {one: {image: x}}' >other.yml
    run -0 docker_compose compose -f other.yml config --services
    [ "$output" = one ]
    run -0 docker_compose docker-cli-plugin-metadata
    jq -e '.SchemaVersion == "0.1.0"' <<<"$output"
}

@test "the functions of the npm package docker-compose work, called either way" {
    compose_file <<'YML'
services:
  web: {image: busybox, init: true, command: ["sh", "-c", "echo ready; sleep infinity"], ports: ["127.0.0.1:18080:80"], volumes: ["data:/data"]}
  side: {image: busybox, init: true, command: ["sleep", "infinity"]}
volumes:
  data: {}
YML
    local way
    for way in standalone plugin; do
        NODE_PATH=$LAB/node_modules PATH=$LAB/bin:$PATH run in_lab node "$top/tests/cli/dropin.js" $way
        succeeded
        has "all functions work"
    done
}
