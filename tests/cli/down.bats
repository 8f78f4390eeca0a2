load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes: ["data:/data", "/anonymous"]
volumes:
  data:
YML
}

volumes()
{
    find "$COMPOTE_ROOT/volumes" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}

@test "down removes containers and networks and keeps named volumes" {
    compote up -d
    compote exec -T web sh -c 'echo kept > /data/file'
    run -0 compote down
    has "Removed" project-web-1 project_default
    [ "$(volumes)" -ge 1 ]
    compote up -d
    run -0 compote exec -T web cat /data/file
    [ "$output" = kept ]
}

@test "down -v removes the volumes" {
    compote up -d
    [ "$(volumes)" = 2 ]
    compote down -v
    [ "$(volumes)" = 0 ]
}

@test "down twice, and of nothing, is a success" {
    compote up -d
    compote down
    run -0 compote down
    run -0 compote -p never down
}

@test "down works without the compose file when the project is named" {
    compote up -d
    cd /
    compote -p project down
    [ -z "$(compote ls --all --quiet)" ]
}

@test "down --rmi all removes the images" {
    compote up -d
    run -0 compote images --quiet
    [ -n "$output" ]
    compote down --rmi all
    [ -z "$(find "$COMPOTE_ROOT"/layers -mindepth 1 -maxdepth 1)" ]
}

@test "down stops what ignores SIGTERM after the grace period, with SIGKILL" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]}
YML
    compote up -d
    run -0 compote down --timeout 1
    [ -z "$(compote ps --all --quiet)" ]
}

@test "external networks and volumes are left alone, and have to exist" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sleep", "infinity"], init: true, volumes: ["nosuch:/x"]}
volumes:
  nosuch: {external: true}
YML
    run compote up -d
    failed
    has nosuch "external"
}
