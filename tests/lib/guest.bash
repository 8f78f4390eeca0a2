# For the bats files whose tests run in a virtual machine (guest.sh). Wants $top and $build.

# shellcheck disable=SC2034  # used by those who load this
SECONDS_AT_MOST=${COMPOTE_GUEST_SECONDS:-400} # a guest takes a minute on an idle machine

# guest_payload KIND SCRIPT: makes $GUESTS/KIND, with compote, an image, and tests/guest/SCRIPT.sh as what is run.
# Skips the test where guests cannot be.
guest_payload()
{
    local reason payload
    if [ -z "${GUESTS:-}" ]; then
        reason=$("$top/tests/lib/guest.sh" build 2>&1 3>&-) || {
            [ $? = 77 ] || { echo "$reason" >&2; return 1; }
            skip "${reason##*$'\n'}"
        }
        GUESTS=$(mktemp -d "${COMPOTE_LABS:-/tmp}/compote-guests.XXXXXX")
        export GUESTS
        mkdir -p "$GUESTS"/tree/{bin,tmp,etc}
        cp "$(command -v busybox)" "$GUESTS/tree/bin/busybox"
        chroot "$GUESTS/tree" /bin/busybox --install -s /bin
    fi
    payload=$GUESTS/$1
    mkdir -p "$payload/libexec"
    cp "$top/tests/guest/$2.sh" "$payload/run"
    cp -L "$build/src/cli/compote" "$payload/"
    cp -L "$build"/libexec/* "$payload/libexec/"
    tar -c -f "$payload/busybox.tar" -C "$GUESTS/tree" .
}
