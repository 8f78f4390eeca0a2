#!/bin/bash
# A machine of its own for a test, for what the machine that runs the tests does not have: Debian with cgroup v2 alone,
# with or without systemd, under QEMU's software emulation.
#
#   guest.sh build                        makes the images when they are not in the cache; 77 when that cannot be
#   guest.sh run systemd|bare DIR [SECONDS]
#
# `run` boots the guest, where DIR is /payload and /payload/run is started as root with nothing else running. Prints what
# that prints and ends with its status; 124 when it took longer than SECONDS, 125 when the guest did not come so far.
# The console's text stays in DIR.console then. Where DIR has a file `reboots`, the guest may be reset and goes on;
# /payload/run then is started after each boot, and its status 75 asks for an orderly reboot.
#
# The images (kernel, initial file system, a root file system on ext4) lie below the test cache, in a directory named
# after the content of this file, and are never written to: what a guest changes is thrown away with it. DIR goes in as a
# tar file on a second disk; what it prints comes out through a virtio port.
set -euo pipefail
cache=${COMPOTE_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/compote-test}
images=$cache/guest-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
suite=bookworm
packages=systemd-sysv,crun,ca-certificates,iproute2,nftables,procps,kmod,busybox-static,libtalloc2,libyaml-0-2,libjansson4
packages+=,libsqlite3-0,libmnl0,libnftables1,libssl3,libcurl4,libarchive13,libzstd1,libisal2,libldns3,libseccomp2
boot_modules="virtio_pci virtio_blk virtio_console"

impossible()
{
    echo "$*"
    exit 77
}

check_host()
{
    local tool
    [ "$(uname -m)" = x86_64 ] || impossible "the guest is for x86-64 machines"
    [ "$(id -u)" = 0 ] || impossible "making the guest's file system needs root"
    for tool in qemu-system-x86_64 mmdebstrap mke2fs depmod busybox; do
        command -v $tool >/dev/null || impossible "needs $tool (tools/deps.sh test)"
    done
}

# --- Building ---------------------------------------------------------------------------------------------------------

fetch_kernel()
{
    local package
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" {print $2; exit}')
    [ -n "$package" ] || impossible "no package linux-image-cloud-amd64 in apt's lists"
    (cd "$1" && apt-get download -q "$package" >/dev/null 2>&1) || impossible "$package cannot be downloaded"
    dpkg -x "$1/$package"*.deb "$1/kernel"
}

# The first process of the initial file system, from which the root file system is found.
first_init()
{
    cat <<'SH'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod $module; done
while ! [ -b /dev/vda ]; do /bin/busybox usleep 10000; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
init=/sbin/init
/bin/busybox mount -t proc proc /proc
if /bin/busybox grep -qw guest=bare /proc/cmdline; then init=/usr/local/sbin/bare-init; fi
/bin/busybox umount /proc
exec /bin/busybox switch_root /root $init
SH
}

# Without systemd: what any first process mounts. cgroup v2 is as the kernel makes it: no controller is on.
bare_init()
{
    cat <<'SH'
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 /sys/fs/cgroup
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mkdir -p /dev/pts /dev/shm
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=000 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
ip link set lo up
exec /usr/local/sbin/guest-run
SH
}

# Unpacks the payload, runs it, says how it ended, and turns the machine off.
guest_run()
{
    cat <<'SH'
#!/bin/sh
port=$(echo /dev/vport*p*)
exec </dev/null >"$port" 2>&1
mkdir -p /payload
tar -x -f /dev/vdb -C /payload
cd /payload
./run
status=$?
if [ $status = 75 ]; then
    systemctl reboot
    exit
fi
echo "guest-status: $status"
sync
echo o >/proc/sysrq-trigger
sleep 60
SH
}

guest_unit()
{
    cat <<'INI'
[Unit]
Description=What this guest is for
After=basic.target
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/guest-run
StandardOutput=null
TimeoutStartSec=infinity
INI
}

executable()
{
    cat >"$1"
    chmod 755 "$1"
}

# Of the kernel's modules, those that a virtual machine with containers can use.
copy_modules()
{
    local from=$1 to=$2 part
    mkdir -p "$to/kernel/drivers"
    for part in arch crypto fs lib net drivers/virtio drivers/block drivers/char drivers/net; do
        if [ -d "$from/kernel/$part" ]; then cp -r "$from/kernel/$part" "$to/kernel/${part%/*}/"; fi
    done
    cp "$from"/modules.{builtin,order}* "$to"
}

make_initial()
{
    local tree=$1 root=$2 version=$3 out=$4 module file number=10
    mkdir -p "$tree/bin" "$tree/modules" "$tree/dev"
    cp "$(command -v busybox)" "$tree/bin/busybox"
    first_init | executable "$tree/init"
    mknod -m 600 "$tree/dev/console" c 5 1
    for module in $boot_modules; do
        modprobe --dirname "$root" --set-version "$version" --show-depends "$module" >"$tree.modules"
        while read -r _ file; do
            if compgen -G "$tree/modules/*-${file##*/}" >/dev/null; then continue; fi
            cp "$file" "$tree/modules/$((number++))-${file##*/}"
        done <"$tree.modules"
    done
    (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$out"
}

make_root()
{
    local root=$1 unit
    nice mmdebstrap --variant=minbase --mode=root --format=directory --quiet --include="$packages" \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --customize-hook='rm -rf "$1"/var/cache/apt "$1"/var/lib/apt/lists' \
        "$suite" "$root" >&2 || impossible "mmdebstrap cannot make Debian $suite here"
    bare_init | executable "$root/usr/local/sbin/bare-init"
    guest_run | executable "$root/usr/local/sbin/guest-run"
    guest_unit >"$root/etc/systemd/system/guest.service"
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -s ../guest.service "$root/etc/systemd/system/multi-user.target.wants/"
    for unit in getty.target serial-getty@.service systemd-firstboot.service systemd-logind.service timers.target; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    echo guest >"$root/etc/hostname"
    echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
    rm -f "$root"/etc/resolv.conf
    echo "nameserver 192.0.2.53" >"$root/etc/resolv.conf"
}

build()
{
    check_host
    mkdir -p "$cache"
    exec 9>"$cache/guest.lock"
    flock 9
    [ ! -e "$images/root.ext4" ] || return 0
    work=$(mktemp -d "$cache/build-guest.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    local version
    fetch_kernel "$work"
    version=$(basename "$work"/kernel/lib/modules/*)
    make_root "$work/root"
    copy_modules "$work/kernel/lib/modules/$version" "$work/root/usr/lib/modules/$version"
    depmod --basedir "$work/root" "$version"
    mkdir "$work/done"
    make_initial "$work/initial" "$work/root" "$version" "$work/done/initial.gz"
    cp "$work/kernel/boot/vmlinuz-$version" "$work/done/vmlinuz"
    mke2fs -q -t ext4 -O ^has_journal -d "$work/root" "$work/done/root.ext4" 1500M
    rm -rf "$cache"/guest-*
    mv "$work/done" "$images"
    rm -rf "$work"
    trap - EXIT
    exec 9>&-
}

# --- Running ----------------------------------------------------------------------------------------------------------

boot()
{
    local kind=$1 dir=$2 seconds=$3 status=0 reset=-no-reboot
    if [ -e "$dir/reboots" ]; then reset="-action reboot=reset"; fi
    tar -c -h -f "$dir.tar" -C "$dir" .
    : >"$dir.out"
    # shellcheck disable=SC2086  # words
    nice timeout --signal=KILL "$seconds" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 768 \
        -nodefaults -no-user-config -display none $reset -serial "file:$dir.console" \
        -kernel "$images/vmlinuz" -initrd "$images/initial.gz" \
        -append "console=ttyS0 loglevel=4 panic=-1 net.ifnames=0 guest=$kind" \
        -drive "file=$images/root.ext4,format=raw,if=virtio,snapshot=on" \
        -drive "file=$dir.tar,format=raw,if=virtio,readonly=on" \
        -device virtio-serial -chardev "file,id=out,path=$dir.out" -device virtserialport,chardev=out,name=out \
        </dev/null >&2 || status=$?
    grep -v '^guest-status: ' "$dir.out" || true
    if [ $status = 137 ]; then
        echo "guest: not done after $seconds s"
        return 124
    fi
    status=$(sed -n 's/^guest-status: //p' "$dir.out")
    if [ -z "$status" ]; then
        echo "guest: it ended before its task did; the end of its console:"
        tail -n 20 "$dir.console"
        return 125
    fi
    rm -f "$dir.tar" "$dir.out" "$dir.console"
    return "$status"
}

case ${1:-} in
build) build ;;
run)
    build
    boot "$2" "$(realpath "$3")" "${4:-100}"
    ;;
*) sed -n '2,14p' "${BASH_SOURCE[0]}" ; exit 2 ;;
esac
