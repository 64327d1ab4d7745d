#!/bin/sh
# Prints the schema that the migrations make, as pg_dump sees it, without what differs from one machine to the next.
#
#   Migrations/dump-schema.sh DATABASE_URL > Migrations/schema.sql
#
# DATABASE_URL: a freshly migrated database, as its superuser. A test compares the result with schema.sql.
# PG_DUMP: the pg_dump to use, if not the one on PATH; its major version must be the server's.
set -eu

if [ $# -ne 1 ]; then
  echo "usage: $0 DATABASE_URL > Migrations/schema.sql" >&2
  exit 64
fi

# Comments carry versions, \restrict a random word, SET the dumping client's settings.
"${PG_DUMP:-pg_dump}" --schema-only --schema=tintype --no-owner --no-tablespaces --dbname="$1" |
  sed -e '/^--/d' -e '/^\\restrict/d' -e '/^\\unrestrict/d' -e '/^SET /d' \
    -e '/^SELECT pg_catalog.set_config/d' -e '/ TO tintype_owner;$/d' -e '/ FROM tintype_owner;$/d' |
  cat -s
