# Volumes, binds, tmpfs, secrets and configs, and the layers of images.
load ../lib/harness

@test "a new volume gets the image's content, and keeps what is written" {
    compose_file <<'YML'
services:
  web: {image: nginx, volumes: ["html:/usr/share/nginx/html"]}
  look: {image: busybox, command: ["sleep", "infinity"], init: true, volumes: ["html:/html:ro"], depends_on: [web]}
volumes: {html: {}}
YML
    compote up -d
    run -0 compote exec -T look cat /html/index.html
    has "Welcome to nginx"
    run compote exec -T look touch /html/x
    failed
}

@test "binds: files, folders, read-only, made when missing" {
    mkdir folder
    echo content >file
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    volumes: ["./file:/file:ro", "./folder:/folder", "./made:/made"]
YML
    compote up -d
    [ "$(compote exec -T web cat /file)" = content ]
    run compote exec -T web sh -c 'echo x > /file'
    failed
    compote exec -T web sh -c 'echo x > /folder/new'
    [ "$(cat folder/new)" = x ]
    [ -d made ]
}

@test "tmpfs, shm_size and read_only" {
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    read_only: true
    tmpfs: ["/scratch:size=1m"]
    shm_size: 2m
YML
    compote up -d
    run compote exec -T web touch /x
    failed
    compote exec -T web touch /scratch/x
    run -0 compote exec -T web df -k /scratch /dev/shm
    has 1024 2048
}

@test "secrets and configs are files" {
    echo hush >secret.txt
    compose_file <<'YML'
services:
  web:
    image: busybox
    command: ["sleep", "infinity"]
    init: true
    secrets: [hidden]
    configs: [{source: shown, target: /etc/shown.conf, mode: 0440}]
secrets: {hidden: {file: ./secret.txt}}
configs: {shown: {content: "shown here"}}
YML
    compote up -d
    [ "$(compote exec -T web cat /run/secrets/hidden)" = hush ]
    [ "$(compote exec -T web cat /etc/shown.conf)" = "shown here" ]
}

@test "an image of many layers has what its layers say" {
    compose_file <<'YML'
services:
  many: {image: layers, user: "0"}
YML
    compote up -d
    run -0 compote exec -T many sh -c 'cd /opt && echo *; ls -A 1 2 sticky; cat 1/new 2/moved 5/file;
        stat -c %a 2/a sticky 5; stat -c %u:%g deep/a/b/c/d/e/f/g/h; echo näme*/*'
    [ "$output" = "1 2 5 deep näme with spaces sticky
1:
new

2:
a
moved

sticky:
.hidden
again
changed
file
4755
1777
0
4000000:4000001
näme with spaces/-file" ] || fail "$output"
}

@test "zstd layers, and an index with other architectures" {
    compose_file <<'YML'
services:
  web: {image: "nginx:zstd", ports: ["8090:80"]}
YML
    compote up -d
    eventually page http://127.0.0.1:8090/ -o /dev/null
    [ "$(compote exec -T web uname -m)" = "$(uname -m)" ]
}

@test "nothing of a container shows in the machine's mount table" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sleep", "infinity"], init: true, volumes: ["data:/data"]}
volumes: {data: {}}
YML
    compote up -d
    run -1 grep -E "$COMPOTE_ROOT.*(overlay|merged)" /proc/self/mounts
}

@test "volumes are closed to other users, and open in the container whatever the umask" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sleep", "infinity"], init: true, user: "1000", volumes: ["data:/data"]}
volumes: {data: {}}
YML
    (umask 077 && compote up -d)
    run -0 compote exec -T web ls -ld / /data
    [ "$(grep -c ^drwxr-xr-x <<<"$output")" = 2 ]
    [ "$(stat -c %a "$COMPOTE_ROOT/volumes")" = 700 ]
}

@test "a volume of another project is used, but stays its, and goes when nobody has it" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["sleep", "infinity"], init: true, volumes: ["data:/data"]}
volumes: {data: {name: together}}
YML
    compote -p one up -d
    compote -p one exec -T web touch /data/file
    run -0 compote -p two up -d
    has "created for project"
    run -0 compote -p two down -v
    [ -e "$COMPOTE_ROOT/volumes/together/_data/file" ]
    compote -p two up -d
    run -0 compote -p one down -v
    has "still in use"
    [ -e "$COMPOTE_ROOT/volumes/together/_data/file" ]
    compote -p two down
    compote -p one down -v
    [ ! -e "$COMPOTE_ROOT/volumes/together" ]
}

@test "names that would lead out of a volume's place are refused" {
    compose_file <<'YML'
services:
  web: {image: busybox, command: ["true"], volumes: ["data:/data"]}
volumes: {data: {name: "../../outside"}}
YML
    run compote up -d
    failed
    has "volume name '../../outside'"
    [ ! -e "$COMPOTE_ROOT/../outside" ]
}
