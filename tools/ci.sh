#!/bin/bash
# Everything that is checked before a change lands.
#
#   tools/ci.sh quick     format, layers, debug build with sanitizers, unit, golden and fuzz-corpus tests
#   tools/ci.sh full      also release and clang builds, and the tests that run containers (tests/cli, tests/e2e)
#   tools/ci.sh bats      only the release build and those tests
#
# The last line is "N passed, N failed, N skipped" over all tests; a stage that breaks (a build, the format) counts
# as one failed test. Exits 1 when anything failed. BATS_FILTER=words runs only the bats files whose path has them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
mode=${1:-quick}
work=$(mktemp -d /tmp/compote-ci.XXXXXX)
export COMPOTE_LABS=$work
passed=0 failed=0 skipped=0

finish()
{
    local jobs
    mapfile -t jobs < <(jobs -rp)
    [ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null
    # What an interrupted run did not come to clear away.
    find "$work" -maxdepth 1 -name 'compote-lab.*' -exec tests/lib/sweep.sh {} +
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# stage NAME COMMAND...: its output is shown when it fails.
stage()
{
    local name=$1 started=$SECONDS
    shift
    if "$@" >"$work/log" 2>&1; then
        printf 'ok      %-28s %4d s\n' "$name" $((SECONDS - started))
        return 0
    fi
    printf 'FAILED  %-28s %4d s\n' "$name" $((SECONDS - started))
    tail -n 80 "$work/log" | sed 's/^/    /'
    failed=$((failed + 1))
    return 1
}

count()
{
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

check_format()
{
    git ls-files -z '*.c' '*.h' | xargs -0 -r clang-format-14 --dry-run -Werror
}

# The shell scripts are part of the project too; the linter is optional.
check_scripts()
{
    command -v shellcheck >/dev/null || return 0
    git ls-files -z 'tools/*.sh' 'bench/*.sh' 'tests/*.sh' 'tests/lib/*.bash' | xargs -0 -r shellcheck -S warning -e SC2154,SC2044 # bats sets status and output; names without blanks
}

build_debug()
{
    tools/build.sh build-asan -Dwerror=true -Dbuildtype=debug -Db_sanitize=address,undefined
}

build_clang()
{
    CC=clang tools/build.sh build-clang -Dwerror=true -Dbuildtype=debug -Db_lundef=false
}

run_meson_tests()
{
    local log=build-asan/meson-logs/testlog.json started=$SECONDS
    rm -f $log
    ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        meson test -C build-asan --no-rebuild --print-errorlogs --num-processes 2 >"$work/log" 2>&1
    [ -f $log ] || { tail -n 40 "$work/log"; echo "FAILED  meson tests: no result"; count 0 1 0; return; }
    local numbers
    numbers=$(python3 - $log <<'PY'
import collections, json, sys
seen = collections.Counter()
for line in open(sys.argv[1]):
    test = json.loads(line)
    kind = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}.get(test["result"], "failed")
    seen[kind] += 1
    if kind == "failed":
        print("    failed:", test["name"], test["result"], file=sys.stderr)
print(seen["passed"], seen["failed"], seen["skipped"])
PY
    )
    # shellcheck disable=SC2086
    count $numbers
    if [ "$(cut -d' ' -f2 <<<"$numbers")" = 0 ]; then
        printf 'ok      %-28s %4d s  %s\n' "meson tests" $((SECONDS - started)) "(passed, failed, skipped: $numbers)"
    else
        sed 's/^/    /' "$work/log" | tail -n 150
        echo "FAILED  meson tests (passed, failed, skipped: $numbers)"
    fi
}

# One bats file; a plan that was not carried out to its end is a failure too. Writes its report and its counts.
run_bats_file()
{
    local file=$1 out=$2 started=$SECONDS ok bad skip plan missing
    timeout --kill-after=30 900 bats --tap "$file" >"$out.tap" 2>"$out.err"
    plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out.tap" | head -1)
    skip=$(grep -cE '^ok [0-9]+ .*# skip' "$out.tap")
    ok=$(($(grep -cE '^ok [0-9]+ ' "$out.tap") - skip))
    bad=$(grep -cE '^not ok [0-9]+ ' "$out.tap")
    missing=$((${plan:-1} - ok - bad - skip))
    {
        grep -E '^ok [0-9]+ .*# skip' "$out.tap" | sed -E 's/^ok [0-9]+ (.*)# skip ?/    skipped: \1/'
        if [ $missing -gt 0 ]; then
            bad=$((bad + missing))
            echo "    $missing tests of $file did not run"
            tail -n 20 "$out.err"
        fi
        printf '%s  %-28s %4d s  (%d passed, %d failed, %d skipped)\n' "$([ $bad = 0 ] && echo 'ok    ' || echo FAILED)" \
            "${file#tests/}" $((SECONDS - started)) "$ok" "$bad" "$skip"
        sed -n '/^not ok/,/^ok /p' "$out.tap" | grep -v '^ok ' | sed 's/^/    /' | head -n 120
    } >"$out.report"
    echo "$ok $bad $skip" >"$out.counts"
    cat "$out.report"
}

# Two at a time: they wait more than they compute, and each has its own namespaces and root.
run_bats()
{
    local files=() file number=0 counts
    for file in tests/cli/*.bats tests/e2e/*.bats; do
        if [ -f "$file" ] && [[ $file == *${BATS_FILTER:-}* ]]; then files+=("$file"); fi
    done
    [ ${#files[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "    skipped: tests/cli and tests/e2e make namespaces and bridges, which needs root"
        count 0 0 "$(cat "${files[@]}" | grep -c '^@test')"
        return 0
    fi
    stage "test images" tests/images/build.sh || return 0
    for file in "${files[@]}"; do
        while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
        number=$((number + 1))
        run_bats_file "$file" "$work/bats.$number" &
    done
    wait
    for counts in "$work"/bats.*.counts; do
        # shellcheck disable=SC2046  # three numbers
        count $(cat "$counts")
    done
}

main()
{
    local started=$SECONDS
    stage "packages" tools/deps.sh test
    if [ "$mode" != bats ]; then
        stage "format" check_format
        stage "scripts" check_scripts
        stage "layers and banned calls" tools/check.py
        stage "debug build, sanitizers" build_debug && run_meson_tests
    fi
    if [ "$mode" = full ]; then
        stage "clang build" build_clang
    fi
    if [ "$mode" != quick ]; then
        stage "release build" tools/build.sh build-rel -Dwerror=true && run_bats
    fi
    echo "took $((SECONDS - started)) s"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
}

main
