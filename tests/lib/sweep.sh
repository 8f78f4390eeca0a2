#!/bin/bash
# Ends what an interrupted test run left: sweep.sh LAB... for the directories that harness.bash made. Only what carries
# such a directory's name is touched: processes with LAB=... in their environment, and those in cgroups of its roots.
set -u

pids_of()
{
    local lab=$1 root
    grep -lszxF "LAB=$lab" /proc/[0-9]*/environ
    for root in "$lab"/test.*/root "$lab"/seed; do
        grep -lsF "/compote_$(printf %s "$root" | sha256sum | cut -c1-8)" /proc/[0-9]*/cgroup
    done
}

for lab; do
    [[ $lab == /*/compote-lab.* && -d $lab ]] || { echo "sweep: '$lab' is no lab" >&2; continue; }
    for pid in $(pids_of "$lab" | cut -d/ -f3 | sort -u); do
        [ "$pid" = $$ ] || kill -9 "$pid" 2>/dev/null
    done
    awk -v lab="$lab/" 'index($2, lab) == 1 {print $2}' /proc/self/mounts | sort -r | while read -r mount; do
        umount -l "$mount"
    done
    for root in "$lab"/test.*/root "$lab"/seed; do
        id=$(printf %s "$root" | sha256sum | cut -c1-8)
        find /sys/fs/cgroup -depth -type d -path "*/compote_$id*" -exec rmdir {} + 2>/dev/null
    done
    rm -rf --one-file-system "$lab"
done
