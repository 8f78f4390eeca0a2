#!/bin/bash
# Fuzzes one target of tests/fuzz for a while.
#
#   tools/fuzz.sh [--afl] TARGET SECONDS        libFuzzer (clang), or AFL++ (afl-clang-fast)
#
# The corpus of a target grows in build-fuzz/corpus/TARGET, whichever the engine; what it finds lies in
# build-fuzz/found/TARGET. Both builds have the sanitizers. The dictionary is made from the tables of the schema.
set -euo pipefail
cd "$(dirname "$0")/.."
engine=libfuzzer
if [ "$1" = --afl ]; then engine=afl; shift; fi
target=$1 seconds=$2
home=build-fuzz corpus=build-fuzz/corpus/$target found=build-fuzz/found/$target

build()
{
    local directory=$1 compiler=$2
    if [ ! -f "$directory/build.ninja" ]; then
        CC=$compiler meson setup "$directory" -Dfuzzer=true -Dbuildtype=debugoptimized -Db_lundef=false \
            -Db_sanitize=address,undefined >/dev/null
    fi
    ninja -C "$directory" --quiet "tests/fuzz/fuzz_$target"
}

# One golden case as one input of the target "project": its files, each behind a line with its name.
pack_case()
{
    local file
    find "$1" -type f ! -name 'expected*' ! -name not-again | sort | while read -r file; do
        printf '=== %s\n' "${file#"$1"/}"
        cat "$file"
    done
}

make_corpus()
{
    local case
    mkdir -p "$corpus" "$found"
    cp -n tests/fuzz/corpus/"$target"/* "$corpus"
    for case in tests/golden/cases/*; do
        case $target in
        project) pack_case "$case" >"$corpus/golden-${case##*/}" ;;
        yaml) cp "$case/compose.yaml" "$corpus/golden-${case##*/}" 2>/dev/null || true ;;
        esac
    done
}

# Every short string in the sources of the schema and the loader: keys, values, options, file names.
make_dictionary()
{
    grep -hoE '"[^"\\%]{1,32}"' src/model/*.c src/schema/*.c src/compose/*.c src/data/*.c | sort -u
    cat tests/fuzz/yaml.dict
}

make_corpus
make_dictionary >"$home/dictionary"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
if [ $engine = libfuzzer ]; then
    build $home clang
    exec $home/tests/fuzz/fuzz_"$target" -max_total_time="$seconds" -dict="$home/dictionary" -timeout=20 \
        -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -artifact_prefix="$found/" "$corpus"
fi
build $home-afl afl-clang-fast
export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_AUTORESUME=1 AFL_NO_AFFINITY=1
export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0
afl-fuzz -i "$corpus" -o "$home-afl/state-$target" -x "$home/dictionary" -V "$seconds" -t 5000 -m none \
    -- $home-afl/tests/fuzz/fuzz_"$target"
cp -n $home-afl/state-"$target"/default/queue/id* "$corpus"
find $home-afl/state-"$target"/default/crashes $home-afl/state-"$target"/default/hangs -name 'id*' -exec cp -n {} "$found" \;
