load ../lib/harness

prepare()
{
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes: [data:/data]
    tmpfs: [/scratch]
  user:
    image: busybox
    command: ["true"]
    user: "1000:1001"
    volumes: [data:/data]
  locked:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    read_only: true
    volumes: ["data:/data:ro"]
  many:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    scale: 2
volumes: {data: }
YML
    compote up -d web
    mkdir -p tree/sub
    echo one >tree/one
    echo two >tree/sub/two
    ln -s sub/two tree/link
}

inside()
{
    compote exec -T web sh -c "$1"
}

@test "cp takes a file there and back, under its own or another name" {
    compote cp tree/one web:/tmp
    compote cp tree/one web:/tmp/other
    [ "$(inside 'cat /tmp/one /tmp/other')" = $'one\none' ]
    compote cp web:/tmp/other .
    compote cp web:/tmp/other back
    [ "$(cat other back)" = $'one\none' ]
    compote cp tree/sub/two web:/tmp/one
    [ "$(inside 'cat /tmp/one')" = two ]
}

@test "cp of a directory: into one that is there, as one that is not, or its content" {
    compote cp tree web:/tmp
    compote cp tree web:/tmp/new
    inside 'mkdir /tmp/content'
    compote cp tree/. web:/tmp/content
    [ "$(inside 'cd /tmp; cat tree/sub/two new/sub/two content/sub/two; readlink new/link')" = $'two\ntwo\ntwo\nsub/two' ]
    compote cp web:/tmp/new .
    compote cp web:/tmp/new fresh
    mkdir into
    compote cp web:/tmp/new/. into
    diff -r tree new && diff -r tree fresh && diff -r tree into
}

@test "cp refuses what does not fit, and leaves what is there" {
    inside 'mkdir /tmp/dir; echo old >/tmp/file'
    run compote cp tree web:/tmp/file
    failed 1
    has "cannot copy directory"
    run compote cp tree/one web:/tmp/none/
    failed 1
    has "no such directory"
    run compote cp tree/one web:/none/below
    failed 1
    has "web-1:/none/below" "No such file or directory"
    run compote cp web:/none .
    failed 1
    has "web-1:/none" "No such file or directory"
    run compote cp tree/missing web:/tmp
    failed 1
    has "tree/missing"
    mkdir -p clash/dir
    inside 'mkdir -p /tmp/clash; echo file >/tmp/clash/dir'
    run compote cp clash web:/tmp
    failed 1
    has "cannot overwrite non-directory 'clash/dir' with directory"
    [ "$(inside 'cat /tmp/file /tmp/clash/dir')" = $'old\nfile' ]
    run compote cp web:/dev/null /dev/null
    failed 1
    has "must be a directory or a regular file"
    run compote cp one two
    failed 1
    has "unknown copy direction"
    run compote cp web:/a many:/b
    failed 1
    has "between services"
    run compote cp tree/one nothing:/tmp
    failed 1
    has 'no container found for service "nothing"'
}

@test "cp keeps modes, times, owners, hard links, holes and attributes" {
    mkdir kept
    echo x >kept/a
    ln kept/a kept/b
    chown 12:34 kept/a
    chmod 4711 kept/a
    touch -d 2001-02-03T04:05:06Z kept/a
    truncate -s 64M kept/holes
    mkfifo kept/fifo
    python3 -c 'import os; os.setxattr("kept/a", "user.color", b"blue")'
    compote cp kept web:/tmp
    run -0 inside 'cd /tmp/kept; stat -c "%a %u:%g %Y %h" a b'
    [ "$output" = $'4711 12:34 981173106 2\n4711 12:34 981173106 2' ]
    [ "$(inside 'stat -c %b /tmp/kept/holes')" -lt 100 ]
    [ "$(inside 'test -p /tmp/kept/fifo && echo pipe')" = pipe ]
    compote cp web:/tmp/kept back
    [ "$(stat -c '%a %u:%g %Y %h' back/a)" = "4711 0:0 981173106 2" ]
    [ "$(python3 -c 'import os; print(os.getxattr("back/b", "user.color").decode())')" = blue ]
    [ "$(stat -c %b back/holes)" -lt 100 ]
}

@test "cp -a gives a service's user what is copied to it; cp -L follows the source" {
    compote up -d user
    compote cp -a tree/one user:/tmp/mine
    compote cp tree/one user:/tmp/kept
    compote cp user:/tmp/. out
    compote run --rm -T user true
    run -0 bash -c "'$build/src/cli/compote' cp user:/tmp/ - | tar tv --numeric-owner"
    [[ "$output" == *" 1000/1001 "*" tmp/mine"* ]]
    [[ "$output" == *" 0/0 "*" tmp/kept"* ]]
    compote cp tree/link web:/tmp/link
    compote cp -L tree/link web:/tmp/file
    [ "$(inside 'readlink /tmp/link; cat /tmp/file')" = $'sub/two\ntwo' ]
    inside 'ln -sf file /tmp/soft'
    compote cp web:/tmp/soft .
    compote cp -L web:/tmp/soft hard
    [ -L soft ] && [ "$(cat hard)" = two ]
}

@test "cp with - is a tar archive, also a compressed one" {
    compote cp web:/etc - | tar t >list
    grep -x etc/passwd list
    tar c -C tree . | compote cp - web:/tmp
    tar cz --transform 's,^,zipped/,' -C tree one | compote cp - web:/tmp
    [ "$(inside 'cat /tmp/sub/two /tmp/zipped/one')" = $'two\none' ]
    run bash -c "tar c -C tree . | '$build/src/cli/compote' cp - web:/tmp/one"
    failed 1
    has "must be a directory"
}

@test "cp reaches volumes and tmpfs of a running container, and volumes of a stopped one" {
    compote cp tree/one web:/data
    compote cp tree/one web:/scratch/here
    [ "$(inside 'cat /data/one /scratch/here')" = $'one\none' ]
    compote up -d user
    eventually has_state project-user-1 exited
    compote cp user:/data/one from-volume
    compote cp tree/sub/two user:/data/two
    compote cp tree user:/home
    [ "$(cat from-volume; inside 'cat /data/two')" = $'one\ntwo' ]
    compote cp user:/home home
    diff -r tree home/tree
}

@test "cp into what is read-only is an error; reading from it works" {
    compote up -d locked
    run compote cp tree/one locked:/tmp
    failed 1
    has "container rootfs is marked read-only"
    run compote cp tree/one locked:/data
    failed 1
    has "mounted volume is marked read-only"
    compote cp locked:/etc/passwd .
    [ -s passwd ]
    compote stop -t 1 locked
    run compote cp tree/one locked:/tmp
    failed 1
    has "read-only"
}

@test "cp goes to all replicas, or to the one of --index, or to those of run, too" {
    compote up -d many
    compote run -d --name once many sleep infinity
    compote cp tree/one many:/tmp/all
    compote cp --index 2 tree/one many:/tmp/second
    compote cp --all tree/one many:/tmp/every
    count() { compote exec -T --index "$1" many sh -c 'ls /tmp' | tr '\n' ' '; }
    [ "$(count 1)" = "all every " ]
    [ "$(count 2)" = "all every second " ]
    run compote cp --index 3 tree/one many:/tmp
    failed 1
    compote cp --index 2 many:/tmp/second .
    [ -s second ]
}

@test "cp stays inside of a hostile container" {
    echo secret >"$SCRATCH/secret"
    inside "ln -s '$SCRATCH/secret' /tmp/out; ln -s / /tmp/root; ln -s ../../../../../../etc/passwd /tmp/up"
    run compote cp -L web:/tmp/out stolen
    failed 1
    [ ! -e stolen ]
    run compote cp web:/proc/1/environ stolen
    failed 1
    compote cp -L web:/tmp/up passwd
    grep -q busybox passwd || ! cmp -s passwd /etc/passwd
    compote cp tree/one web:/tmp/root/landed
    [ "$(inside 'cat /landed')" = one ]
    [ ! -e /landed ]
    # A link in the archive leads nowhere on this side.
    inside 'mkdir /tmp/trap; ln -s /tmp /tmp/trap/a'
    compote cp web:/tmp/trap .
    compote cp web:/dev - | tar t | grep -q dev/null
    inside 'rm /tmp/trap/a; mkdir /tmp/trap/a; echo bad >/tmp/trap/a/canary'
    run compote cp web:/tmp/trap .
    failed 1
    [ ! -e /tmp/canary ]
}

@test "cp survives a container that changes its files meanwhile" {
    inside 'mkdir -p /tmp/busy; cd /tmp/busy; for i in 1 2 3 4 5 6 7 8 9; do mkdir d$i; echo x >d$i/f; done'
    compote exec -d web sh -c 'cd /tmp/busy; while :; do for i in 1 2 3 4 5; do rm -rf d$i; ln -s / d$i; rm -f d$i; mkdir d$i; echo y >d$i/f; done; done'
    for i in 1 2 3 4 5; do
        compote cp web:/tmp/busy "out$i"
        [ "$(cat "out$i/d9/f")" = x ]
        [ "$(find "out$i" | wc -l)" -lt 25 ]
    done
}

# hostile NAME:TYPE[:TARGET]...: a tar archive with these entries, each with its name as content.
hostile()
{
    python3 - "$@" <<'PY'
import io, sys, tarfile
out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
for word in sys.argv[1:]:
    name, kind, *target = word.split(":")
    entry = tarfile.TarInfo(name)
    entry.type = {"f": tarfile.REGTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "d": tarfile.DIRTYPE, "c": tarfile.CHRTYPE}[kind]
    entry.linkname = target[0] if target else ""
    entry.devmajor, entry.devminor = 1, 1
    data = name.encode() if kind == "f" else b""
    entry.size = len(data)
    out.addfile(entry, io.BytesIO(data))
out.close()
PY
}

@test "what is placed on this side goes nowhere else, whatever the archive says" {
    local canary=$SCRATCH/canary words
    mkdir "$canary" box
    echo safe >"$canary/file"
    place() { (cd / && "$build/libexec/compote-copy" place --path="$SCRATCH/project/box"); }
    for words in "a:l:$canary a/file:f" "a:l:../../canary a/file:f" "../escaped:f" "a:l:$canary a:d a/new:f" "b:h:$canary/file" \
        "b:h:../../canary/file" "d:l:$canary d/e/f:f" "box/../../escaped:f"; do
        # shellcheck disable=SC2086
        hostile $words | place && [[ "$words" == *"a:d"* ]] && fail "was placed: $words"
        [ "$(cat "$canary/file")" = safe ]
        [ "$(ls "$canary")" = file ]
        [ ! -e "$SCRATCH/escaped" ] && [ ! -e escaped ]
        rm -rf box && mkdir box
    done
    # Absolute names are names in here, and a device has no force, here or in the container.
    hostile /abs/olute:f | place
    [ "$(cat box/abs/olute)" = /abs/olute ]
    head -c 3000 /dev/urandom | compote cp - web:/tmp && fail "took noise for an archive"
    compote cp web:/etc/passwd - | head -c 700 | compote cp - web:/tmp && fail "took half an archive"
    [ "$(inside 'ls /tmp')" = passwd ] || [ -z "$(inside 'ls /tmp')" ]
}

@test "the packing end opens no device and waits for no pipe" {
    mknod fifo p
    mkdir odd && mv fifo odd/
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("odd/socket")'
    mknod odd/null c 1 3
    run -0 timeout 20 bash -c "cd / && '$build/libexec/compote-copy' pack --path='$PWD/odd' | tar tv --numeric-owner"
    has "p" "odd/fifo" "1,3" "odd/null"
    has_not odd/socket
    deep=odd
    for _ in $(seq 220); do deep=$deep/d; done
    mkdir -p "$deep"
    run bash -c "cd / && '$build/libexec/compote-copy' pack --path='$PWD/odd' >/dev/null"
    failed 1
    has "more than 200 directories"
}
