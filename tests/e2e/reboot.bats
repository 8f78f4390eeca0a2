# After a reboot: in a virtual machine with systemd, which is rebooted once in order and once by a reset. What happens
# there is in tests/guest/reboot.sh.
bats_require_minimum_version 1.5.0

top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
build=$(cd "$top" && realpath "${COMPOTE_TEST_BUILD:-build-rel}")
load ../lib/guest

teardown()
{
    rm -rf "$GUESTS"
}

@test "containers come back after a reboot and after a reset, as their restart policies say" {
    guest_payload systemd reboot
    touch "$GUESTS/systemd/reboots"
    run "$top/tests/lib/guest.sh" run systemd "$GUESTS/systemd" "$SECONDS_AT_MOST"
    [ "$status" = 0 ] && [[ $output == *"ok reboot"* ]] || { echo "$output"; return 1; }
}
