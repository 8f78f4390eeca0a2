# Services that a program of another makes.
load ../lib/harness

prepare()
{
    mkdir bin
    cat >bin/cloud <<'SH'
#!/bin/sh
echo "$*" >>"$CLOUD_LOG"
case "$2" in
metadata) [ -z "$METADATA" ] || echo "$METADATA"; exit 0;;
esac
echo '{"type":"info","message":"preparing"}'
echo '{"type":"debug","message":"details"}'
case "$*" in
*fail*) echo '{"type":"error","message":"no money left"}'; exit 1;;
*quit*) exit 3;;
*noise*) echo hello; sleep 100;;
*" up "*) echo '{"type":"setenv","message":"URL=db://'"$VALUE"'"}'; echo '{"type":"rawsetenv","message":"PLAIN=yes"}';;
esac
SH
    chmod +x bin/cloud
    export PATH=$PWD/bin:$PATH CLOUD_LOG=$PWD/log VALUE=one
}

database()
{
    compose_file <<YML
services:
  data-base: {provider: {type: cloud, options: {size: [1, 2], kind: $1}}}
  web: {image: busybox, command: ["sleep", "infinity"], init: true, depends_on: [data-base]}
  other: {image: busybox, command: ["sleep", "infinity"], init: true}
YML
}

env_of()
{
    compose exec -T "$1" sh -c 'env | grep -E "URL|PLAIN" | sort' | tr '\n' ' '
}

@test "a provider is called by up and down, and sets variables of those who depend on it" {
    database small
    run -0 compote up -d
    has preparing
    grep -qx 'compose --project-name=project up --size=1 --size=2 --kind=small data-base' log
    [ "$(compote exec -T web env | grep -E '^(DATA-BASE_URL|PLAIN)=' | sort | tr '\n' ' ')" = "DATA-BASE_URL=db://one PLAIN=yes " ]
    [ -z "$(compote exec -T other sh -c 'echo $PLAIN')" ]
    [ "$(compote ps --services | sort | tr '\n' ' ')" = "other web " ]
    # The same answer changes nothing, another one makes the container anew.
    before=$(pid_of web)
    compote up -d
    [ "$(pid_of web)" = "$before" ]
    VALUE=two compote up -d
    [ "$(pid_of web)" != "$before" ]
    [ "$(compote run --rm web sh -c 'echo $PLAIN')" = yes ]
    compote down
    [ "$(tail -n 1 log)" = 'compose --project-name=project down --size=1 --size=2 --kind=small data-base' ]
}

@test "a provider that describes itself gets what it knows, and must get what it needs" {
    export METADATA='{"description": "x", "up": {"parameters": [{"name": "kind"}]}, "down": {"parameters": []}}'
    database small
    compote up -d
    grep -qx 'compose --project-name=project up --kind=small data-base' log
    compote down
    [ "$(tail -n 1 log)" = 'compose --project-name=project down data-base' ]
    export METADATA='{"description": "x", "up": {"parameters": [{"name": "region", "required": true}]}}'
    run compote up -d
    failed
    has 'required parameter "region" is missing from provider "cloud" definition'
}

@test "a provider that fails, breaks off, or is not there stops up" {
    database fail
    run compote up -d
    failed
    has "data-base: no money left"
    database quit
    run compote up -d
    failed
    has "failed to create service provider: exit status 3"
    database noise
    run compote up -d
    failed
    has "'hello' is not a message of the protocol"
    sed -i 's/type: cloud/type: nowhere/' compose.yml
    run compote up -d
    failed
    has "there is no program docker-nowhere or nowhere"
    [ ! -e "$COMPOTE_ROOT/containers" ]
}
