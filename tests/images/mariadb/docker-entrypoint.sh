#!/bin/bash
# First start: makes the data directory and the accounts that the public image's variables ask for
# (MARIADB_ or MYSQL_ ROOT_PASSWORD, DATABASE, USER, PASSWORD, each also as ..._FILE).
set -euo pipefail

# setting NAME: the value of MARIADB_NAME or MYSQL_NAME, or the content of the file that ..._NAME_FILE names.
setting()
{
    local name file
    for name in "MARIADB_$1" "MYSQL_$1"; do
        file=${name}_FILE
        if [ -n "${!name:-}" ]; then printf %s "${!name}"; return; fi
        if [ -n "${!file:-}" ]; then cat "${!file}"; return; fi
    done
}

quoted()
{
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\\\'}"
}

# One statement on each line: the form that --init-file takes.
print_accounts()
{
    local root_password database user password
    root_password=$(setting ROOT_PASSWORD) database=$(setting DATABASE) user=$(setting USER) password=$(setting PASSWORD)
    echo "ALTER USER root@localhost IDENTIFIED BY $(quoted "$root_password");"
    echo "CREATE USER root@'%' IDENTIFIED BY $(quoted "$root_password");"
    echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    if [ -n "$database" ]; then echo "CREATE DATABASE \`$database\`;"; fi
    if [ -n "$user" ]; then
        echo "CREATE USER $(quoted "$user")@'%' IDENTIFIED BY $(quoted "$password");"
        if [ -n "$database" ]; then echo "GRANT ALL ON \`$database\`.* TO $(quoted "$user")@'%';"; fi
    fi
    # The server itself writes the mark that the set-up came to its end.
    echo "SELECT 1 INTO OUTFILE '/var/lib/mysql/.whole';"
}

if [ "${1#-}" != "$1" ]; then
    set -- mariadbd "$@"
fi
if [ "$1" != mariadbd ] && [ "$1" != mysqld ]; then
    exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
    install -d -o mysql -g mysql /run/mysqld
    find /var/lib/mysql ! -user mysql -exec chown mysql:mysql {} +
    exec gosu mysql "$0" "$@"
fi
if [ ! -f /var/lib/mysql/.whole ]; then
    if [ -z "$(setting ROOT_PASSWORD)" ]; then
        echo "Set MARIADB_ROOT_PASSWORD (or MYSQL_ROOT_PASSWORD)." >&2
        exit 1
    fi
    find /var/lib/mysql -mindepth 1 -delete
    mariadb-install-db --auth-root-authentication-method=normal --skip-test-db >/dev/null
    print_accounts >/run/mysqld/accounts.sql
    set -- "$@" --init-file=/run/mysqld/accounts.sql
fi
exec "$@"
