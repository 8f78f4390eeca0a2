#!/bin/bash
# Like the first public images, this one makes its database; without one WordPress still serves its error page.
php /usr/local/share/make-database.php || echo "no database yet; see above" >&2
exec "$@"
