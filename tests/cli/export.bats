load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo made >/made; rm /etc/group; exec sleep infinity"]
    init: true
    volumes: [data:/data]
    healthcheck: {test: ["CMD", "test", "-e", "/made"], interval: 1s, start_period: 20s, start_interval: 100ms}
volumes: {data: }
YML
    compote up -d --wait
}

@test "export writes the container's file system, without what is mounted in it" {
    compote exec -T web sh -c 'echo volume >/data/file'
    compote export -o out.tar web
    tar t -f out.tar >list
    grep -x made list && grep -x bin/busybox list && grep -x data/ list && grep -x etc/passwd list
    run grep -E '^(data|proc|sys)/.|^etc/group$|^\./' list
    [ "$status" = 1 ]
    [ "$(tar xO -f out.tar made)" = made ]
    compote export web >piped.tar
    cmp out.tar piped.tar
    [ "$(stat -c %a out.tar)" = 600 ]
}

@test "export works on a stopped container, and the archive makes an image" {
    compote stop -t 1 web
    compote export --index 1 web | compote image import - exported:latest
    compose_file <<'YML'
services: {web: {image: "exported:latest", command: ["cat", "/made"], volumes: ["data:/data"]}}
volumes: {data: }
YML
    run -0 --separate-stderr compote run --rm -T web
    [ "$output" = made ]
}

@test "export: what cannot be written leaves nothing behind" {
    run compote export -o none/out.tar web
    failed 1
    has "none/out.tar"
    run compote export --index 2 -o out.tar web
    failed 1
    has "no container with index 2"
    run compote export -o out.tar nobody
    failed 1
    run compote export -o "$PWD" web
    failed 1
    has "must be a regular file"
    [ "$(ls)" = compose.yml ]
}
