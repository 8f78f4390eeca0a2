# Images through the program: from the lab's registry (which is docker-registry), from archives, and out again.
load ../lib/harness

@test "pull by name, then everything finds it" {
    compose_file <<'YAML'
services:
  a: {image: busybox}
  b: {image: nginx}
YAML
    run -0 compote pull
    run -0 compote image ls --format '{{.Repository}}:{{.Tag}}'
    has busybox:latest nginx:latest
    run -0 compote image ls --quiet
    [ "$(wc -l <<<"$output")" = 2 ]
    # Whatever was unpacked has been verified, and only whole layers are there.
    run -0 find "$COMPOTE_ROOT/layers" -maxdepth 1 -name '.*' -mindepth 1
    [ -z "$output" ]
    run -0 find "$COMPOTE_ROOT/blobs/partial" -type f
    [ -z "$output" ]
}

@test "pull again takes nothing from the registry but names" {
    compose_file <<'YAML'
services:
  a: {image: busybox}
YAML
    compote pull
    before=$(find "$COMPOTE_ROOT/layers" -maxdepth 1 -printf '%i %p\n' | sort)
    run -0 compote pull
    [ "$before" = "$(find "$COMPOTE_ROOT/layers" -maxdepth 1 -printf '%i %p\n' | sort)" ]
}

@test "pull of what is not there says so" {
    compose_file <<'YAML'
services:
  a: {image: "127.0.0.1:5000/library/nothing:here"}
YAML
    run compote pull
    failed
    has "127.0.0.1:5000" "nothing"
    compose_file <<'YAML'
services:
  a: {image: "127.0.0.1:9/library/busybox"}
YAML
    run compote pull
    failed
    has "127.0.0.1:9"
}

@test "import, use and remove a root file system" {
    mkdir -p rootfs/bin
    cp "$(command -v busybox)" rootfs/bin/busybox
    ln -s busybox rootfs/bin/sh
    tar -C rootfs --numeric-owner --owner=0 --group=0 -czf rootfs.tar.gz .
    run -0 compote image import rootfs.tar.gz mine:1
    compose_file <<'YAML'
services:
  a: {image: "mine:1", command: [/bin/sh, -c, "echo it runs"]}
YAML
    run -0 compote run --rm a
    has "it runs"
    run -0 compote image rm mine:1
    run compote image rm mine:1
    failed
    has "mine:1"
    run -0 find "$COMPOTE_ROOT/layers" -mindepth 1 -maxdepth 1
    [ -z "$output" ]
}

@test "load what skopeo saved, in both forms" {
    command -v skopeo >/dev/null || skip "needs skopeo to make the archives"
    in_lab skopeo copy -q --src-tls-verify=false docker://127.0.0.1:5000/library/busybox docker-archive:saved.tar:saved/box:7
    in_lab skopeo copy -q --src-tls-verify=false docker://127.0.0.1:5000/library/busybox oci-archive:layout.tar:layout/box:8
    run -0 compote image load -i saved.tar
    run -0 compote image load -i layout.tar
    run -0 compote image ls --format '{{.Repository}}:{{.Tag}}'
    has saved/box:7 layout/box:8
    # The same file system comes to the same layers.
    run -0 find "$COMPOTE_ROOT/layers" -mindepth 1 -maxdepth 1
    in_lab skopeo inspect --tls-verify=false docker://127.0.0.1:5000/library/busybox | jq '.Layers | length' >layers
    [ "$(wc -l <<<"$output")" = "$(cat layers)" ]
    run compote image load -i compose.yml
    failed
    has compose.yml
}

@test "prune takes what nothing uses" {
    compose_file <<'YAML'
services:
  a: {image: busybox, command: sleep infinity, stop_signal: SIGKILL}
  b: {image: redis}
YAML
    compote pull
    compote up -d a
    run -0 compote image prune --all --force
    run -0 compote image ls --format '{{.Repository}}'
    has busybox
    has_not redis
    compote down
    run -0 compote image prune --all --force
    run -0 compote image ls --quiet
    [ -z "$output" ]
    run -0 find "$COMPOTE_ROOT/layers" -mindepth 1 -maxdepth 1
    [ -z "$output" ]
}
