<?php
/* What the environment says, with the defaults of the first public images: root on a host named mysql. */
function setting($name, $default)
{
    $file = getenv("WORDPRESS_{$name}_FILE");
    $value = getenv("WORDPRESS_$name");
    return $value !== false && $value !== '' ? $value : ($file ? rtrim(file_get_contents($file)) : $default);
}
define('DB_HOST', setting('DB_HOST', 'mysql'));
define('DB_NAME', setting('DB_NAME', 'wordpress'));
define('DB_USER', setting('DB_USER', 'root'));
define('DB_PASSWORD', setting('DB_PASSWORD', ''));
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
$table_prefix = setting('TABLE_PREFIX', 'wp_');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY',
          'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $key)
    define($key, setting($key, hash('sha256', $key . gethostname())));
