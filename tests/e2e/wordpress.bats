# The example that everything is for, as it stands in examples/wordpress, from its first page to nothing left.
load ../lib/harness

prepare_file()
{
    # Pulled and unpacked once; each test gets hard links to the layers, which nobody writes to.
    COMPOTE_ROOT=$LAB/seed
    export COMPOTE_ROOT
    compote -f "$top/examples/wordpress/compose.yml" pull -q
}

prepare()
{
    local part
    for part in blobs layers images.json; do
        cp -al "$LAB/seed/$part" "$COMPOTE_ROOT/"
    done
    cp -r "$top/examples/wordpress/." .
}

installer_answers()
{
    "$@" http://198.51.100.1:8080/ | grep -q 'WordPress.*Installation'
}

posts()
{
    compote exec -T db mysql -uroot -prootsecret -N -e "$1" wordpress
}

@test "its page answers on loopback, on the machine's address, and from another machine" {
    run -0 compote up -d
    has_health project-db-1 healthy
    eventually installer_answers page
    page http://127.0.0.1:8080/ | grep -q 'WordPress.*Installation'
    page http://localhost:8080/ | grep -q 'WordPress.*Installation'
    installer_answers page_outside
    run -0 compote ps
    has "0.0.0.0:8080->80/tcp" "(healthy)"
}

@test "as given, without override file; the database comes up with it" {
    rm compose.override.yml
    compote up -d
    eventually installer_answers page
}

@test "data survive down and up, and are gone after down -v" {
    compote up -d
    posts "CREATE TABLE kept (word TEXT); INSERT INTO kept VALUES ('still here')"
    compote down
    run -0 compote ls --all --quiet
    [ -z "$output" ]
    compote up -d
    [ "$(posts 'SELECT word FROM kept')" = "still here" ]
    compote down -v
    compote up -d
    run posts 'SELECT word FROM kept'
    failed
    compote down -v
}
