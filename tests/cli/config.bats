# config: its lists, hashes, variables and digests. What the model looks like is the golden cases' matter.
load ../lib/harness

prepare()
{
    cat >compose.yaml <<'YAML'
name: demo
services:
  web:
    image: "nginx:${TAG:-1}"
    depends_on: [db]
    environment: {A: "${REQUIRED?say it}", B: }
    command: ["${OUTER:-$INNER}", "$${ESCAPED}", "${ON:+yes}"]
    models: {llm: }
  db: {image: mariadb, networks: [back], volumes: ["data:/d", "${SOURCE:-./x}:/x"], env_file: absent.env}
  built: {build: .}
  debug: {image: busybox, profiles: [tools, all]}
networks: {back: {}, spare: {}}
volumes: {data: {}, spare: {}}
models: {llm: {model: ai/small}, spare: {model: ai/large}}
YAML
    export REQUIRED=here
}

# config ARG...: its output without the warnings
config()
{
    run -0 --separate-stderr compote "${before[@]}" config "$@"
}

@test "lists: services, volumes, networks, models, profiles, images" {
    before=()
    config --services
    [ "$output" = $'built\ndb\nweb' ]
    config --volumes
    [ "$output" = data ]
    config --networks
    [ "$output" = $'back\ndefault' ]
    config --models
    [ "$output" = ai/small ]
    config --profiles
    [ "$output" = $'all\ntools' ]
    config --images db
    [ "$output" = mariadb ]
    # The first of several lists counts, whatever their order on the command line; --quiet and --output are for the model.
    config --images --volumes --services --quiet --output never
    [ "$output" = $'built\ndb\nweb' ]
    [ ! -e never ]
    before=(--all-resources)
    config --volumes
    [ "$output" = $'data\nspare' ]
    config --models
    [ "$output" = $'ai/small\nai/large' ]
    before=(--compatibility)
    config --images
    [[ $output == *demo_built* ]]
    before=(--profile '*')
    config --services
    [[ $output == *debug* ]]
}

@test "an unread env file matters to the model, not to the lists" {
    run -1 --separate-stderr compote config
    [[ $stderr == *"absent.env not found"* ]]
    before=()
    config --no-env-resolution
    [[ $output == *"$PWD/absent.env"* ]]
    config --hash db
    [[ $output == "db "* ]]
}

@test "an empty project name is none, an empty first file is nothing" {
    touch absent.env empty.yaml
    before=(-p '' -f empty.yaml -f compose.yaml)
    config
    [[ $output == "name: demo"* ]]
    run -1 --separate-stderr compote -f empty.yaml config
    [[ $stderr == *"empty.yaml: empty compose file"* ]]
}

@test "environment is what interpolation sees" {
    echo 'FROM_FILE=${TAG:-none}' >.env
    touch absent.env
    before=()
    TAG=7 config --environment
    [[ $output == *COMPOSE_PROJECT_NAME=demo* && $output == *FROM_FILE=7* && $output == *TAG=7* ]]
    config --environment --quiet
    [ -z "$output" ]
}

@test "variables: all of them, with what they fall back to" {
    before=()
    config --variables
    [ "$output" = "$(cat <<'END'
NAME                REQUIRED            DEFAULT VALUE       ALTERNATE VALUE
INNER               false                                   
ON                  false                                   yes
OUTER               false               $INNER              
REQUIRED            true                                    
SOURCE              false               ./x                 
TAG                 false               1                   
END
)" ]
    config --variables --format json
    [ "$(jq -c '.TAG, .REQUIRED, .ON' <<<"$output")" = "$(cat <<'END'
{"Name":"TAG","DefaultValue":"1","PresenceValue":"","Required":false}
{"Name":"REQUIRED","DefaultValue":"","PresenceValue":"","Required":true}
{"Name":"ON","DefaultValue":"","PresenceValue":"yes","Required":false}
END
)" ]
    config --variables --format yaml
    [[ $output == $'INNER:\n  name: INNER\n  defaultvalue: ""\n'* ]]
    run -1 --separate-stderr compote config --variables --format xml
    [[ $stderr == *'unsupported format "xml"'* ]]
}

@test "variables come from all files: -f, include, extends" {
    cat >more.yaml <<'YAML'
include: [part/compose.yaml]
services:
  web: {extends: {file: part/base.yaml, service: base}, labels: {l: "${MORE}"}}
YAML
    mkdir part
    echo 'services: {inc: {image: "a:${INCLUDED-x}"}}' >part/compose.yaml
    echo 'services: {base: {user: "${EXTENDED}"}}' >part/base.yaml
    before=(-f compose.yaml -f more.yaml)
    config --variables --format json
    [ "$(jq -r 'keys | join(" ")' <<<"$output")" = "EXTENDED INCLUDED INNER MORE ON OUTER REQUIRED SOURCE TAG" ]
    echo 'services: {web: {user: "${BAD!}"}}' >bad.yaml
    run -1 --separate-stderr compote -f compose.yaml -f bad.yaml config --variables
    [[ $stderr == *"bad.yaml:1:24"*"invalid interpolation"* ]]
}

# The digests of this test were told by docker compose 2.40 for the same file.
@test "hash: that of docker compose, for all or for named services" {
    cat >other.yaml <<'YAML'
name: h
services:
  web:
    image: nginx:1
    build: .
    ports: ["80:80"]
    environment: {A: "1", B: "<&>"}
    depends_on: [db]
    deploy: {replicas: 3, resources: {limits: {cpus: "0.5"}}}
    pull_policy: always
    healthcheck: {test: [CMD, x], interval: 5s}
    command: a b
    x-foo: 1
  db:
    image: pg
    volumes: [d:/data]
    env_file: [{path: /a, required: false}]
    label_file: labels.env
volumes: {d: {}}
YAML
    echo FROM=file >labels.env
    before=(-f other.yaml)
    config --hash '*'
    [ "$output" = "$(printf 'db %s\nweb %s' 282baea1fabca6dd1d39b0d4fc83b49a660eb3117a936924728ac1d01fe67383 \
        fbe61bf472fc8b52033d7caa19ee84e4a595da2ab8b0289b6f4c57c9c876573f)" ]
    config --hash web,db
    [ "${#lines[@]}" = 2 ]
    run -1 --separate-stderr compote "${before[@]}" config --hash web,nope
    [[ $stderr == *"no such service: nope: not found"* ]]
    run -1 --separate-stderr compote config --hash debug
    [[ $stderr == *"no such service: debug: disabled"* ]]
}

@test "output goes to a file, quiet says only what is wrong" {
    touch absent.env
    before=()
    config --output out.yaml
    [ -z "$output" ]
    [[ $(cat out.yaml) == "name: demo"* ]]
    config --quiet --output not.yaml
    [ -z "$output" ]
    [ ! -e not.yaml ]
    run -1 --separate-stderr compote config --format xml
    [[ $stderr == *'unsupported format "xml"'* ]]
    run -1 --separate-stderr env -u REQUIRED "$build/src/cli/compote" config --quiet
    [[ -z $output && $stderr == *"REQUIRED is missing a value: say it"* ]]
}

@test "digests: what the registry has now, for several images at once" {
    cat >compose.yaml <<'YAML'
name: pins
services:
  a: {image: busybox}
  b: {image: "127.0.0.1:5000/library/nginx"}
  c: {image: "docker.io/library/busybox:latest", command: x}
  d: {image: "busybox:1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
  e: {build: .}
YAML
    digest_of()
    {
        local oci=application/vnd.oci.image docker=application/vnd.docker.distribution.manifest
        in_lab curl -sI -H "Accept: $oci.index.v1+json" -H "Accept: $oci.manifest.v1+json" \
            -H "Accept: $docker.list.v2+json" -H "Accept: $docker.v2+json" \
            "http://127.0.0.1:5000/v2/library/$1/manifests/latest" |
            tr -d '\r' | sed -n 's/^docker-content-digest: //Ip'
    }
    busybox=$(digest_of busybox) nginx=$(digest_of nginx)
    [[ $busybox == sha256:* && $nginx == sha256:* ]]
    before=()
    config --lock-image-digests
    [ "$output" = "services:
  a:
    image: docker.io/library/busybox:latest@$busybox
  b:
    image: 127.0.0.1:5000/library/nginx:latest@$nginx
  c:
    image: docker.io/library/busybox:latest@$busybox
  d:
    image: docker.io/library/busybox@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  e: {}" ]
    config --lock-image-digests --output lock.yaml
    before=(-f compose.yaml -f lock.yaml)
    config --format json
    [ "$(jq -r .services.c.image <<<"$output")" = "docker.io/library/busybox:latest@$busybox" ]
    [ "$(jq -r .services.c.command[0] <<<"$output")" = x ]
    before=(--parallel 1)
    config --resolve-image-digests --format json a b
    [ "$(jq -r '.services[].image' <<<"$output")" = "docker.io/library/busybox:latest@$busybox
127.0.0.1:5000/library/nginx:latest@$nginx" ]
    # Nothing was stored.
    [ ! -e "$COMPOTE_ROOT/blobs" ]
}

@test "digests: what cannot be resolved is an error" {
    cat >compose.yaml <<'YAML'
services:
  a: {image: "127.0.0.1:5000/library/nothing:here"}
YAML
    run -1 --separate-stderr compote config --resolve-image-digests
    [[ -z $output && $stderr == *"127.0.0.1:5000/library/nothing:here"* ]]
    echo 'services: {a: {image: "Not A Name"}}' >compose.yaml
    run -1 --separate-stderr compote config --lock-image-digests
    [[ -z $output && $stderr == *"service a"*"Not A Name"* ]]
}
