#!/bin/sh
# Run once by the PostgreSQL image: the two roles and the database. `keeper` owns it; `app` is a member of nothing.
set -eu

# passwords as psql variables: quoted by psql, never on a command line that others see
psql --username postgres --no-psqlrc --quiet -v ON_ERROR_STOP=1 <<'SQL'
\set keeper_password `cat /run/secrets/keeper_password`
\set app_password `cat /run/secrets/app_password`
CREATE ROLE keeper LOGIN PASSWORD :'keeper_password';
CREATE ROLE app LOGIN PASSWORD :'app_password';
CREATE DATABASE answerable OWNER keeper;
REVOKE ALL ON DATABASE answerable, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE answerable TO app;
\connect answerable
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app;
SQL
