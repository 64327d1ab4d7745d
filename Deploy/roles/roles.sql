-- For a database that was migrated by a user who may not create roles. As a superuser, once, after `tintype migrate`:
--
--   psql -d DATABASE -f roles.sql
--
-- It creates tintype_owner, tintype_enqueuer, tintype_worker, tintype_reader and tintype_admin where they are missing,
-- makes the first of them the owner of everything, and gives each of the others what it needs and nothing more.
-- Safe to repeat. The rights themselves are in Migrations/V0008__roles.sql.
--
-- Then give people and programs a login each:
--
--   CREATE ROLE web        LOGIN PASSWORD '…' IN ROLE tintype_enqueuer;  -- inserts jobs; sees and cancels its own
--   CREATE ROLE "worker-1" LOGIN PASSWORD '…' IN ROLE tintype_worker;    -- the daemon
--   CREATE ROLE grafana    LOGIN PASSWORD '…' IN ROLE tintype_reader;    -- views without prompts
--   CREATE ROLE alice      LOGIN PASSWORD '…' IN ROLE tintype_admin;     -- all jobs; pause, resume, drain
--   GRANT tintype_owner TO deployer;                                     -- runs `tintype migrate`
--
-- A submitter is told apart by the user it logged in as: SET ROLE changes nothing, and programs that share a login
-- share their jobs.

\set ON_ERROR_STOP on
SELECT tintype.install_roles() AS installed \gset
\if :installed
  \echo Roles are installed.
\else
  \warn Not allowed to create roles: run this as a superuser.
  \quit
\endif
