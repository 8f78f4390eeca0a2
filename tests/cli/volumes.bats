load ../lib/harness

@test "volumes lists the project's volumes, of all or of some services, in all formats" {
    compose_file <<'YML'
services:
  a: {image: busybox, command: ["true"], volumes: ["one:/one", "two:/two", "/anonymous"]}
  b: {image: busybox, command: ["true"], volumes: ["two:/two"]}
volumes:
  one: {labels: {com.example.kind: first}}
  two: {name: elsewhere}
YML
    run -0 compote volumes -q
    [ -z "$output" ]
    compote create
    run -0 compote volumes
    [[ "${lines[0]}" =~ ^DRIVER\ +VOLUME\ NAME$ ]]
    [[ "${lines[1]}" =~ ^local\ +elsewhere$ && "${lines[2]}" =~ ^local\ +project_one$ && "${#lines[@]}" = 3 ]]
    run -0 compote volumes -q b
    [ "$output" = elsewhere ]
    run -0 compote volumes --format '{{.Name}} {{.Label "com.example.kind"}} {{.Mountpoint}}' a
    has "project_one first $COMPOTE_ROOT/volumes/project_one/_data"
    run -0 compote volumes --format json
    [ "$(jq -r 'select(.Name == "project_one") | .Driver + .Scope' <<<"$output")" = locallocal ]
    run compote volumes none
    failed 1
    has "no such service: none"
    compote down
    run -0 compote volumes -q
    [ "$output" = $'elsewhere\nproject_one' ]
    compote down -v
    run -0 compote volumes -q
    [ -z "$output" ]
}
