<?php
/* Creates the database unless it is there, and waits for a server that is still starting. */
require '/etc/wordpress/config-default.php';
mysqli_report(MYSQLI_REPORT_OFF);
for ($try = 0; $try < 60; $try++) {
    $server = @mysqli_connect(DB_HOST, DB_USER, DB_PASSWORD);
    if ($server) {
        $name = str_replace('`', '``', DB_NAME);
        exit(mysqli_query($server, "CREATE DATABASE IF NOT EXISTS `$name`") ? 0 : 1);
    }
    fwrite(STDERR, 'database ' . DB_HOST . ': ' . mysqli_connect_error() . "\n");
    if (mysqli_connect_errno() == 1045) /* access denied stays so */
        exit(1);
    usleep(500000);
}
exit(1);
