load ../lib/harness

prepare()
{
    cat >compose.yaml <<'YAML'
name: demo
services:
  web: {image: "nginx:1", depends_on: [db]}
  db: {image: "mariadb:11"}
  debug: {image: busybox, profiles: [debug]}
YAML
}

# fails MESSAGE ARG...: status 1, nothing on standard output, the message first on standard error.
fails()
{
    local message=$1
    shift
    run -1 --separate-stderr compote "$@"
    [ -z "$output" ]
    [ "${stderr_lines[0]}" = "$message" ]
}

@test "wrong usage says what is wrong and exits with 1" {
    fails 'unknown flag: --detahc' up --detahc
    [ "${stderr_lines[1]}" = 'did you mean --detach?' ]
    fails "unknown shorthand flag: 'Z' in -dZ" up -dZ
    fails 'flag needs an argument: --timeout' stop --timeout
    fails 'unknown command: "compote strat"' strat
    [[ ${stderr_lines[1]} == "did you mean 'start'?"* ]]
    fails '"compote exec" requires at least 2 arguments' exec web
    fails 'unsupported format "xml"' config --format xml
    fails '--force-recreate and --no-recreate are incompatible' up --force-recreate --no-recreate
    fails '--build is not available yet' up --build
    fails "can't use --progress tty while ANSI support is disabled" --progress tty --ansi never up
    fails 'invalid --scale option "web". Should be SERVICE=NUM' up -d --scale web
    fails "'compote build' is not available yet" build
}

@test "a missing file is named, with what can be done" {
    rm compose.yaml
    fails 'no configuration file provided: not found' ps
    [[ ${stderr_lines[1]} == *'name a file with -f, or a project with -p' ]]
    run -0 compote -p nothing ps
    run -0 --separate-stderr compote -p nothing down
    [[ $stderr == *'No resource found to remove for project "nothing".'* ]]
}

@test "config --explain: one key, all, JSON, and a key that is not there" {
    echo 'TAG=2' >.env
    echo 'services: {web: {image: "nginx:${TAG}"}}' >over.yaml
    run -0 compote -f compose.yaml -f over.yaml config --explain services.web.image
    [ "${lines[0]}" = 'services.web.image = nginx:2' ]
    [ "${lines[1]}" = '  over.yaml:1:25     nginx:2, from "nginx:${TAG}"; TAG=2 from .env:1' ]
    [ "${lines[2]}" = '  compose.yaml:3:16  replaced: nginx:1' ]
    [ "${#lines[@]}" -eq 3 ]
    TAG=3 run -0 compote -f compose.yaml -f over.yaml config --explain services.web.image
    [[ ${lines[1]} == *'TAG=3 from the environment, which wins over .env:1' ]]
    run -0 compote config --explain
    [[ $output == *'services.debug (removed)'* ]]
    [[ $output == *$'networks.default.name = demo_default\n'* ]]
    run -0 compote config --explain --format json services.db.image
    [ "$(jq -r '.[0].history[0] | "\(.step) \(.file):\(.line)"' <<<"$output")" = 'written compose.yaml:4' ]
    fails "'services.web.imgae' is not in the result" config --explain services.web.imgae
    [ "${stderr_lines[1]}" = "did you mean 'services.web.image'?" ]
    fails '--explain takes one key: services.web.image' config --explain services.web.image services.db
}

@test "several mistakes are told, each with its place and advice" {
    echo 'services: {web: {image: x, prots: ["80"], memory: 1g}}' >compose.yaml
    fails "compose.yaml:1:28: services.web: unknown key 'prots'" config
    [ "${stderr_lines[1]}" = "did you mean 'ports'?" ]
    [ "${stderr_lines[2]}" = "compose.yaml:1:43: services.web: unknown key 'memory'" ]
    [ "${stderr_lines[3]}" = "did you mean 'mem_limit'?" ]
    [ "${#stderr_lines[@]}" -eq 4 ]
}

@test "global flags work before and after the command, and from the environment" {
    run -0 compote --profile debug config --services
    [[ $output == *debug* ]]
    run -0 compote config --services --profile debug
    [[ $output == *debug* ]]
    COMPOSE_PROFILES=debug run -0 compote config --services
    [[ $output == *debug* ]]
    run -0 compote config --services
    [ "$output" = $'db\nweb' ]
    COMPOSE_PROGRESS=nonsense run -1 --separate-stderr compote ps
    [[ $stderr == *'invalid argument "nonsense" for "COMPOSE_PROGRESS"'* ]]
}

@test "config --hash is what docker compose 2.40 says for the same file" {
    cat >compose.yaml <<'YAML'
name: demo
services:
  web: {image: "nginx:1", depends_on: [db], ports: ["8080:80"], labels: {b: 1, a: "<&>"}, command: a 'b c'}
  db: {image: "mariadb:11", deploy: {replicas: 2, resources: {limits: {memory: 1g}}}, build: /src, x-note: y, volumes: ["data:/d:ro"]}
volumes: {data: }
YAML
    run -0 --separate-stderr compote config --hash '*'
    [ "$output" = 'db b80b6dad27d1e14126cd7f5bffa3a9480cf0ab751fe582d7cd027ba5768bd168
web bccde433efad26ccb63557582b2f097f432a5006513e693cbc72fed0db104cf4' ]
}

@test "each command has a help page, and help finds it too" {
    local name
    run -0 compote --help
    for name in $(awk '/^Commands:/{found=1; next} found && NF && /^  /{print $1}' <<<"$output"); do
        run -0 compote "$name" --help
        [[ $output == "Usage:  compote $name"* ]]
        local page=$output
        run -0 compote help "$name"
        [ "$output" = "$page" ]
    done
    run -0 compote image ls --help
    [[ $output == 'Usage:  compote image ls [OPTIONS]'* ]]
}

@test "under the name docker-compose it answers under that name" {
    ln -s "$build/src/cli/compote" docker-compose
    run -0 in_lab ./docker-compose version
    [[ $output =~ ^Docker\ Compose\ version\ v[0-9] ]]
    run -0 in_lab ./docker-compose compose config --services
    [ "$output" = $'db\nweb' ]
    run -1 --separate-stderr in_lab ./docker-compose strat
    [ "${stderr_lines[0]}" = 'unknown docker command: "compose strat"' ]
    run -0 in_lab ./docker-compose docker-cli-plugin-metadata
    jq -e '.SchemaVersion == "0.1.0"' <<<"$output"
}

@test "lists of what is not there are empty, as tables and as JSON" {
    run -0 compote ps
    [[ $output =~ ^NAME\ +IMAGE\ +COMMAND\ +SERVICE\ +CREATED\ +STATUS\ +PORTS$ ]]
    run -0 compote ps --format json
    [ -z "$output" ]
    run -0 compote ls --format json
    [ "$output" = '[]' ]
    run -0 compote images --format json
    [ "$output" = '[]' ]
    run -0 --separate-stderr compote rm
    [ "$stderr" = 'No stopped containers' ]
    run -0 compote kill
    run -0 compote stop
    run -1 --separate-stderr compote exec web true
    [ "${stderr_lines[0]}" = 'service "web" is not running' ]
    run -1 --separate-stderr compote ps nosuch
    [[ $stderr == 'no such service: nosuch'* ]]
}

@test "--progress json makes an error an object" {
    run -1 --separate-stderr compote --progress json -f nosuch.yaml ps
    jq -e '.error and (.message | length > 0)' <<<"$stderr"
}

@test "completion offers commands, flags, values and services" {
    run -0 compote __complete -- st
    [[ $output == *$'start\t'* && $output == *$'stop\t'* ]]
    run -0 compote __complete -- up --rem
    [[ $output == $'--remove-orphans\t'* ]]
    run -0 compote __complete -- --progress q
    [ "$output" = $'quiet\t' ]
    run -0 compote __complete -- logs ''
    [[ $output == *$'web\tnginx:1'* && $output != *debug* ]]
    run -0 compote __complete -- --profile debug logs d
    [[ $output == *$'debug\t'* ]]
    printf 'services: {one: {image: "x\\n$(reboot)"}}\n' >odd.yaml
    run -0 compote __complete -- -f odd.yaml logs ''
    [ "$output" = $'one\tx $(reboot)' ]
    run -0 compote __complete -- -f ''
    [ "$output" = :file ]
    run -0 compote __complete -- image r
    [[ $output == $'rm\t'* ]]
}

@test "the manual page is roff without warnings" {
    compote __man >compote.1
    grep -q '^\.SS compote up' compote.1
    command -v groff >/dev/null || skip "groff is not installed"
    run -0 groff -man -Tutf8 -ww -z compote.1
    [ -z "$output" ]
}

@test "doctor looks at everything and answers in JSON too" {
    run compote doctor --format json
    jq -e 'map(.Check) | index("container runtime") != null and index("cgroups") != null' <<<"$output"
    run -1 in_lab env PATH=/nonexistent "$build/src/cli/compote" doctor
    [[ $output == *'crun is not installed'*'apt-get install crun'* ]]
}
