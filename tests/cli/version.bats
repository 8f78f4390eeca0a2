load ../lib/harness

@test "version prints one line, and the bare number with --short" {
    run -0 compote version
    [[ $output =~ ^compote\ version\ v[0-9]+\.[0-9]+\.[0-9]+$ ]]
    run -0 compote version --short
    [[ $output =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "version --format json is JSON" {
    run -0 compote version --format json
    jq -e .version <<<"$output"
}
