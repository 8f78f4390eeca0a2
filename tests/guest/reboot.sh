#!/bin/bash
# Runs in the guest (tests/lib/guest.sh) as root, once after each boot: containers come back as their restart policies
# say, after an orderly reboot and after the machine was reset.
#
# Beside this file: compote, libexec/, busybox.tar.
set -euE
trap 'echo "not ok boot $boot, line $LINENO: $BASH_COMMAND"; exit 1' ERR
here=$(cd "${0%/*}" && pwd)
export NO_COLOR=1 PATH=/usr/local/bin:$PATH
mkdir -p /project
cd /project
boot=$(($(cat boot 2>/dev/null || echo 0) + 1))
echo $boot >boot
touch "stopped" # each container's last words

running()
{
    compote ps --services --status running | sort | tr '\n' ' '
}

# A first process has no default action for signals: each service ends only because its trap says so.
write_project()
{
    cat >compose.yml <<'YML'
x-service: &service
  image: busybox
  volumes: [".:/project"]
services:
  always:
    <<: *service
    restart: always
    command: ["sh", "-c", "trap 'echo always >>/project/stopped; exit 0' TERM; while :; do sleep 0.2; done"]
  unless:
    <<: *service
    restart: unless-stopped
    depends_on: [always]
    command: ["sh", "-c", "trap 'echo unless >>/project/stopped; exit 0' TERM; while :; do sleep 0.2; done"]
  halted:
    <<: *service
    restart: unless-stopped
    init: true
    command: ["sleep", "infinity"]
  once:
    <<: *service
    init: true
    command: ["sleep", "infinity"]
YML
}

# "unless" knows its neighbour by name: networks and names are there again.
neighbours_answer()
{
    compote exec -T unless nslookup always >/dev/null
}

case $boot in
1)
    cp "$here/compote" /usr/local/bin/
    mkdir -p /usr/local/libexec
    cp -r "$here/libexec" /usr/local/libexec/compote
    compote image import "$here/busybox.tar" busybox >/dev/null 2>&1
    write_project
    compote up -d
    compote stop -t 0 halted
    [ "$(running)" = "always once unless " ]
    compote autostart enable
    systemctl is-enabled --quiet compote-autostart.service
    exit 75
    ;;
2)
    # In the order of their dependencies, because the unit ended them and not the shutdown.
    [ "$(cat stopped | tr '\n' ' ')" = "unless always " ]
    systemctl start compote-autostart.service
    [ "$(running)" = "always unless " ]
    neighbours_answer
    compote up -d
    [ "$(running)" = "always halted once unless " ]
    sync
    echo b >/proc/sysrq-trigger
    sleep 60
    ;;
3)
    systemctl start compote-autostart.service
    [ "$(running)" = "always halted unless " ]
    neighbours_answer
    compote down -t 1
    compote autostart disable
    [ ! -e /etc/systemd/system/compote-autostart.service ]
    [ -z "$(find /var/lib/compote/containers /run/compote/containers -mindepth 1)" ]
    echo "ok reboot"
    ;;
esac
