#!/bin/bash
# Writes the expected output of golden cases: update.sh CASE...
# Where docker compose (the program named by PEER, version 2.40) accepts a case, its output is what we expect;
# where it refuses, what comes out is our own, from the golden program named by GOLDEN. Read the diff before a commit.
set -eu
: "${PEER:?the docker-compose program}" "${GOLDEN:?the golden program}"

expect() { # CASE FORMAT -> 0 and the peer's output, or 1
    local dir=$1 format=$2 global=() flags=() services=() environment=()
    if [ -e "$dir/args" ]; then
        mapfile -t words < "$dir/args"
        for ((i = 0; i < ${#words[@]}; i++)); do
            case ${words[i]} in
            --no-*) flags+=("${words[i]}") ;;
            -*) global+=("${words[i]}" "${words[++i]}") ;;
            *) services+=("${words[i]}") ;;
            esac
        done
    fi
    [ -e "$dir/env" ] && mapfile -t environment < "$dir/env"
    (cd "$dir" && env -i PATH="$PATH" HOME=/home/user "${environment[@]}" "$PEER" "${global[@]}" config \
        --format "$format" "${flags[@]}" "${services[@]}" 2> /dev/null)
}

for dir; do
    dir=$(realpath "$dir")
    rm -f "$dir"/expected.json "$dir"/expected.yaml "$dir"/expected-error.txt
    if expect "$dir" json > "$dir/expected.json" && expect "$dir" yaml > "$dir/expected.yaml"; then
        sed -i "s|$dir|@DIR@|g; s|${dir%/*}|@CASES@|g" "$dir/expected.json" "$dir/expected.yaml"
    else
        rm -f "$dir"/expected.json "$dir"/expected.yaml
        if "$GOLDEN" --print json "$dir" > "$dir/expected-error.txt" 2> /dev/null; then
            mv "$dir/expected-error.txt" "$dir/expected.json"
            "$GOLDEN" --print yaml "$dir" 2> /dev/null > "$dir/expected.yaml"
            sed -i "s|$dir|@DIR@|g; s|${dir%/*}|@CASES@|g" "$dir/expected.json" "$dir/expected.yaml"
        fi
    fi
    if [ -e "$dir/explain" ]; then
        "$GOLDEN" --print explain "$dir" 2> /dev/null > "$dir/expected-explain.txt"
    fi
done
