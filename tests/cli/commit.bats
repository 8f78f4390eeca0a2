load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    environment: {COLOR: red}
    working_dir: /tmp
    labels: {com.example.kind: first}
YML
    compote up -d
    compote exec -T web sh -c '
        echo made >/made; chmod 640 /made; ln /made /again; chown 5:6 /made
        rm /etc/group; rm -rf /home; mkdir /home; echo new >/home/new; ln -s made /soft'
}

cleanup()
{
    [ ! -e other.yml ] || compote -f other.yml -p other down
}

# image_config REFERENCE: its configuration as JSON.
image_config()
{
    local id
    id=$(jq -r --arg name "docker.io/library/$1" '.images[] | select(.references | index($name)) | .config' "$COMPOTE_ROOT/images.json")
    cat "$COMPOTE_ROOT/blobs/sha256/${id#sha256:}"
}

in_image()
{
    compote -f other.yml -p other run --rm -T once "$@"
}

@test "commit makes an image of what a container wrote, removed and replaced" {
    run -0 compote commit web kept:1
    has "Committed"
    echo '{"services": {"once": {"image": "kept:1", "pull_policy": "never"}}}' >other.yml
    run -0 --separate-stderr in_image sh -c 'cat /made /home/new /soft; stat -c "%a %u:%g %h" /again; ls /home; test ! -e /etc/group; test -s /etc/passwd'
    [ "$output" = $'made\nnew\nmade\n640 5:6 2\nnew' ]
    run -0 --separate-stderr in_image sh -c 'echo $COLOR $PWD'
    [ "$output" = "red /tmp" ]
    image_config kept:1 >config
    jq -e '.config | .Labels["com.example.kind"] == "first" and .Cmd == ["sleep", "infinity"] and (.Env | index("COLOR=red"))' config
    jq -e '(.rootfs.diff_ids | length) == 2 and (.history[-1].created_by == "sleep infinity")' config
    # One more on top of it, from the container of the image just made.
    sed -i 's/image: busybox/image: kept:1/' compose.yml
    compote up -d
    compote exec -T web sh -c 'rm /home/new; echo second >/second'
    compote commit web kept:2
    echo '{"services": {"once": {"image": "kept:2", "pull_policy": "never"}}}' >other.yml
    run -0 --separate-stderr in_image sh -c 'cat /made /second; ls /home'
    [ "$output" = $'made\nsecond' ]
}

@test "commit changes the configuration as it is told" {
    compote commit -m 'a message' -a 'Somebody' -p=false \
        -c 'CMD ["cat", "/made"]' -c 'ENV COLOR=blue SIZE="very large"' -c 'env OLD form of it' -c 'EXPOSE 80 53/udp' -c 'USER 5:6' \
        -c 'WORKDIR /home' -c 'LABEL a=b "com.example.kind"=second' -c 'VOLUME /data /more' -c 'STOPSIGNAL SIGUSR1' -c 'ONBUILD RUN true' web changed
    image_config changed:latest >config
    jq -e '.author == "Somebody" and .history[-1].comment == "a message" and .history[-1].author == "Somebody"' config
    jq -e '.config | .Cmd == ["cat", "/made"] and .User == "5:6" and .WorkingDir == "/home" and .StopSignal == "SIGUSR1"' config
    jq -e '.config | (.Env | index("COLOR=blue") and index("SIZE=very large") and index("OLD=form of it") and (index("COLOR=red") | not))' config
    jq -e '.config | .ExposedPorts == {"80/tcp": {}, "53/udp": {}} and (.Volumes | has("/data") and has("/more")) and .OnBuild == ["RUN true"]' config
    jq -e '.config.Labels | .a == "b" and .["com.example.kind"] == "second"' config
    compote commit -c 'ENTRYPOINT ["echo", "said"]' -c 'CMD some words' web spoken
    jq -e '.config | .Entrypoint == ["echo", "said"] and .Cmd == ["/bin/sh", "-c", "some words"]' <(image_config spoken:latest)
}

@test "commit refuses what it cannot do, and makes nothing" {
    compote image ls >before
    run compote commit -c 'RUN true' web bad
    failed 1
    has "'RUN' is not an instruction that commit can apply" "WORKDIR"
    run compote commit -c 'ENV lonely' web bad
    failed 1
    has "'lonely' has no value"
    run compote commit web 'not a name'
    failed 1
    run compote commit nobody bad
    failed 1
    run compote --dry-run commit web bad
    succeeded
    compote image ls >after
    diff before after
    [ -z "$(ls -A "$COMPOTE_ROOT/layers" | grep '^\.')" ]
    has_state project-web-1 running
}

@test "commit holds a container still meanwhile, unless it is told not to; a stopped one will do" {
    since=$(date +%s.%N)
    compote commit -p=false web first
    run -0 compote events --since "$since" --until 0s
    has_not "container pause"
    compote commit web second
    run -0 compote events --since "$since" --until 0s
    has "container pause" "container unpause"
    has_state project-web-1 running
    compote stop -t 1 web
    compote commit web third
    run -0 compote image ls
    has first second third
}
