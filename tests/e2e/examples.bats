load ../lib/harness

example()
{
    cp -r "$top/examples/$1/." .
}

@test "quickstart" {
    example quickstart
    compote up -d
    eventually bash -c "$(declare -f in_lab compote); build=$build; compote logs | grep -q 'Hello from'"
    run -0 compote exec -T hello hostname
    [[ $output =~ ^[0-9a-f]{12}$ ]]
    compote down
}

greets()
{
    [[ $(page http://127.0.0.1:8081/) == "$1 from "* ]]
}

@test "simple: nginx in front of a Node.js program; the bound file and the variable can change" {
    example simple
    compote up -d
    eventually greets Hello
    sed -i 's/ from / greets from /' app.js
    compote restart app
    eventually greets "Hello greets"
    local web
    web=$(compote ps -q web)
    GREETING=Hi compote up -d
    [ "$(compote ps -q web)" = "$web" ]
    eventually greets "Hi greets"
    compote down
}
