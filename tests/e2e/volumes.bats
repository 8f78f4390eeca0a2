# Volumes that are file systems of their own (driver_opts), and the long forms of mounts.
load ../lib/harness

cleanup()
{
    ! grep -q "$SCRATCH/source" /proc/self/mounts || umount -R "$SCRATCH/source"
}

# The devices of what containers have at /data, as their mount tables tell them.
device_of()
{
    compote exec -T "$1" stat -c %d /data
}

@test "driver_opts: a folder of the machine is the volume, and stays when the volume goes" {
    mkdir source
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes: ["data:/data", {type: volume, source: data, target: /part, volume: {subpath: inner}}]
volumes: {data: {driver: local, driver_opts: {type: none, o: bind, device: ./source}}}
YML
    mkdir source/inner
    compote up -d
    compote exec -T web sh -c 'echo x >/data/file; echo y >/part/file'
    [ "$(cat source/file source/inner/file)" = "x
y" ]
    run -1 grep -F "$COMPOTE_ROOT/volumes" /proc/self/mounts
    compote down -v
    [ "$(cat source/file)" = x ]
    [ ! -e "$COMPOTE_ROOT/volumes" ]
}

@test "driver_opts: a tmpfs is one for all who have it, and ends with the last of them" {
    compose_file <<'YML'
services:
  one: &s
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes: ["data:/data"]
  two: *s
  three: {<<: *s, volumes: ["data:/data:ro"]}
volumes: {data: {driver_opts: {type: tmpfs, device: tmpfs, o: "size=1m,uid=1000,noexec"}}}
YML
    compote up -d
    compote exec -T one sh -c 'echo shared >/data/file'
    [ "$(compote exec -T two cat /data/file)" = shared ]
    [ "$(compote exec -T three cat /data/file)" = shared ]
    run compote exec -T three touch /data/x
    failed
    run -0 compote exec -T two grep ' /data ' /proc/mounts
    has noexec size=1024k uid=1000
    # It outlives its maker, and whoever comes later has the same.
    compote stop one
    compote restart two
    compote start one
    [ "$(compote exec -T one cat /data/file)" = shared ]
    compote stop
    compote start
    run compote exec -T one cat /data/file
    failed
}

@test "driver_opts: killed monitors keep what is mounted" {
    compose_file <<'YML'
services:
  one:
    image: busybox
    command: ["sh", "-c", "while [ ! -e /data/end ]; do sleep 0.1; done; rm /data/end; exit 1"]
    restart: on-failure
    volumes: ["data:/data"]
  two: {image: busybox, command: ["sleep", "infinity"], init: true, volumes: ["data:/data"]}
volumes: {data: {driver_opts: {type: tmpfs, device: tmpfs}}}
YML
    compote up -d one
    compote exec -T one sh -c 'echo kept >/data/file'
    kill -9 $(pids_of_program)
    compote up -d
    [ "$(compote exec -T two cat /data/file)" = kept ]
    before=$(pid_of one)
    compote exec -T two touch /data/end
    restarted() { [ -n "$(pid_of one)" ] && [ "$(pid_of one)" != "$before" ]; }
    eventually restarted
    [ "$(compote exec -T one cat /data/file)" = kept ]
}

@test "driver_opts: many that start at once have one file system" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sh", "-c", "echo x >>/data/file; sleep infinity"]
    init: true
    scale: 6
    volumes: ["data:/data"]
volumes: {data: {driver_opts: {type: tmpfs, device: tmpfs}}}
YML
    compote up -d
    all_wrote() { [ "$(compote exec -T --index 1 web cat /data/file | wc -l)" = 6 ]; }
    eventually all_wrote
}

@test "driver_opts: what cannot be mounted is told before or when it starts" {
    cat >base.yml <<'YML'
services: {web: {image: busybox, command: ["sleep", "infinity"], volumes: ["data:/data"]}}
YML
    try()
    {
        printf 'volumes: {data: {driver: local, driver_opts: %s}}\n' "$1" >opts.yml
        run compote -f base.yml -f opts.yml up -d
        failed
    }
    try '{type: none, o: bind, device: ./missing}'
    has "device" missing "No such file"
    try '{type: none, o: bind}'
    has "missing required option 'device'"
    try '{size: 1g, type: tmpfs, device: tmpfs}'
    has "no option 'size'"
    try '{type: nosuchfs, device: /dev/null}'
    has nosuchfs "No such device"
    printf 'volumes: {data: {driver: other}}\n' >opts.yml
    run compote -f base.yml -f opts.yml up -d
    failed
    has "driver 'other' is not available"
    compote -f base.yml -f opts.yml down -v
}

@test "driver_opts: other options are asked about, and only a yes loses the data" {
    mkdir first second
    compose_file <<'YML'
services: {web: {image: busybox, command: ["sleep", "infinity"], init: true, volumes: ["data:/data"]}}
volumes: {data: {driver: local, driver_opts: {type: none, o: bind, device: "./${DIR}"}}}
YML
    DIR=first compote up -d
    DIR=second in_lab "$build/src/cli/compote" up -d <<<n 2>out
    grep -q "doesn't match configuration in compose file. Recreate (data will be lost)?" out
    DIR=second compote exec -T web touch /data/file
    [ -e first/file ]
    DIR=second compote up -d --yes
    DIR=second compote exec -T web touch /data/other
    [ -e second/other ] && [ -e first/file ] && [ ! -e first/other ]
    # A record that says nothing of options is no match for a file that has some.
    python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("UPDATE volumes SET config_hash=NULL"); c.commit()' \
        "$COMPOTE_ROOT/state.db"
    DIR=second compote up -d 2>out </dev/null
    grep -q "doesn't match configuration" out
    DIR=second compote down -v
}

@test "binds: recursive, and tmpfs in the long form" {
    mkdir "$SCRATCH/source"
    mount -t tmpfs tmpfs "$SCRATCH/source"
    mkdir "$SCRATCH/source/inner"
    mount -t tmpfs tmpfs "$SCRATCH/source/inner"
    touch "$SCRATCH/source/inner/file"
    compose_file <<YML
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes:
    - {type: bind, source: $SCRATCH/source, target: /all, read_only: true}
    - {type: bind, source: $SCRATCH/source, target: /alone, bind: {recursive: disabled}}
    - {type: bind, source: $SCRATCH/source, target: /half, read_only: true, bind: {recursive: writable}}
    - {type: tmpfs, target: /small, tmpfs: {size: 1m, mode: 0700}}
YML
    compote up -d
    umount "$SCRATCH/source/inner"
    compote exec -T web ls /all/inner/file /half/inner/file
    [ -z "$(compote exec -T web ls /alone/inner)" ]
    run compote exec -T web touch /all/inner/x
    failed
    compote exec -T web touch /half/inner/x
    run compote exec -T web touch /half/x
    failed
    run -0 compote exec -T web sh -c 'df -k /small; stat -c %a /small'
    has 1024 700
}

@test "mounts that need something else are refused before anything is made" {
    for type in npipe cluster; do
        compose_file <<YML
services: {web: {image: busybox, volumes: [{type: $type, source: x, target: /x}]}}
YML
        run compote up -d
        failed
        has "mounts of type '$type'"
        [ ! -e "$COMPOTE_ROOT/containers" ]
    done
}

@test "volumes_from: another's volumes and folders, read-only when asked for, its own first" {
    mkdir folder
    compose_file <<'YML'
services:
  base:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes: ["data:/data", "/anonymous", "./folder:/folder", {type: tmpfs, target: /own}]
    labels: {kept: "${KEPT-1}"}
  all: {image: busybox, command: ["sleep", "infinity"], init: true, volumes_from: [base]}
  some:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes_from: ["container:project-base-1:ro"]
    volumes: ["mine:/data"]
    depends_on: [base]
volumes: {data: {}, mine: {}}
YML
    compote up -d
    compote exec -T base sh -c 'echo a >/data/f; echo b >/anonymous/f; echo c >/folder/f'
    [ "$(compote exec -T all cat /data/f /anonymous/f /folder/f | tr -d '\n')" = abc ]
    run compote exec -T all ls /own
    failed
    [ -z "$(compote exec -T some ls /data)" ]
    compote exec -T some touch /data/x
    [ "$(compote exec -T some cat /anonymous/f)" = b ]
    run compote exec -T some touch /anonymous/x
    failed
    # Whoever has them is made anew with them; an anonymous volume stays as long as somebody has it.
    KEPT=2 compote up -d
    compote exec -T all test -e /anonymous/f
    KEPT=2 compote rm -fsv base
    compote exec -T all test -e /anonymous/f
    compote down -v
    [ ! -e "$COMPOTE_ROOT/volumes" ]
}

@test "volumes_from what is not there is an error that names it" {
    compose_file <<'YML'
services: {web: {image: busybox, command: ["sleep", "infinity"], volumes_from: ["container:nobody"]}}
YML
    run compote up -d
    failed
    has "volumes_from 'container:nobody': no such container"
}

@test "images as mounts: whole, a part, read-only, kept as long as somebody has them" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes:
    - {type: image, source: nginx, target: /all}
    - {type: image, source: nginx, target: /part, image: {subpath: usr/share/nginx/html}}
    - {type: image, source: layers, target: /layers}
YML
    compote up -d
    run -0 compote exec -T web cat /part/index.html /all/usr/share/nginx/html/index.html
    [ "$(grep -c 'Welcome to nginx!</h1>' <<<"$output")" = 2 ] || fail "$output"
    [ "$(compote exec -T web cat /layers/opt/5/file)" = file ]
    [ "$(compote exec -T web ls -A /layers/opt/1)" = new ]
    for path in /all/x /part/x /layers/x; do
        run compote exec -T web touch $path
        failed
    done
    run -1 grep -F "$COMPOTE_ROOT/containers" /proc/self/mounts
    compote image prune --all --force
    compote restart
    compote exec -T web test -e /part/index.html
    sed -i 's/usr.share.nginx.html/nowhere/' compose.yml
    run compote up -d
    failed
    has "subpath 'nowhere'"
    sed -i 's/source: nginx/source: no-such-image/' compose.yml
    run compote up -d
    failed
    has no-such-image
}

@test "propagation: mounts are seen by who asked for that, in the direction that was asked for" {
    mkdir "$SCRATCH/source"
    mount -t tmpfs tmpfs "$SCRATCH/source"
    mount --make-shared "$SCRATCH/source"
    mkdir "$SCRATCH"/source/{first,second}
    compose_file <<YML
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    privileged: true
    volumes:
    - "$SCRATCH/source:/private"
    - "$SCRATCH/source:/slave:rslave"
    - {type: bind, source: $SCRATCH/source, target: /shared, bind: {propagation: rshared}}
YML
    compote up -d
    mount -t tmpfs tmpfs "$SCRATCH/source/first"
    touch "$SCRATCH/source/first/file"
    compote exec -T web ls /slave/first/file /shared/first/file
    [ -z "$(compote exec -T web ls /private/first)" ]
    compote exec -T web sh -c 'mount -t tmpfs tmpfs /shared/second && touch /shared/second/file'
    [ -e "$SCRATCH/source/second/file" ]
    compote restart
    compote exec -T web ls /shared/second/file /shared/first/file
    compote down
}
