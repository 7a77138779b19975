-- The three roles of Change Control and what they may do in this database. May be run any number of times.
--
--   changecontrol_owner    owns the database and every table; used by migrations alone
--   changecontrol_app      web, worker and beat: reads and writes rows, never changes a table
--   changecontrol_sealer   seals the audit stream: reads; what it may write is granted by the audit migrations
--
-- On a server of your own, as a superuser or as a role with CREATEROLE and CREATEDB:
--
--   createdb changecontrol
--   psql -v ON_ERROR_STOP=1 -d changecontrol -f docs/roles.sql
--   psql -d changecontrol -c '\password changecontrol_owner'      (and the two others)
--
-- Plain SQL without psql commands: the embedded mode runs this same file.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['changecontrol_owner', 'changecontrol_app', 'changecontrol_sealer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- made at the same moment by another session
            END;
        END IF;
        IF (SELECT rolsuper OR rolreplication OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            RAISE EXCEPTION 'Role % is a superuser, may replicate or bypasses row security. Take that away, then run this file again.', wanted;
        END IF;
        EXECUTE format('ALTER ROLE %I LOGIN NOCREATEDB NOCREATEROLE INHERIT', wanted);
        EXECUTE format('ALTER ROLE %I SET timezone = ''UTC''', wanted);
    END LOOP;

    -- Only a member of a role may give a database to it or set its default privileges; a superuser always may.
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AND current_user <> 'changecontrol_owner' THEN
        EXECUTE format('GRANT changecontrol_owner TO %I', current_user);
    END IF;
END
$$;

-- A forgotten transaction holds back the sealer (it seals below the oldest running one), a long wait holds up the gate.
ALTER ROLE changecontrol_app SET jit = off;
ALTER ROLE changecontrol_app SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE changecontrol_app SET lock_timeout = '5s';
ALTER ROLE changecontrol_app SET statement_timeout = '30s';
ALTER ROLE changecontrol_sealer SET jit = off;
ALTER ROLE changecontrol_sealer SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE changecontrol_sealer SET lock_timeout = '5s';
ALTER ROLE changecontrol_sealer SET statement_timeout = '60s';
-- A migration that waits for a lock queues every query behind it: better to fail and be run again.
ALTER ROLE changecontrol_owner SET lock_timeout = '10s';

DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO changecontrol_owner', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO changecontrol_app, changecontrol_sealer', current_database());
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM changecontrol_app, changecontrol_sealer;
GRANT USAGE, CREATE ON SCHEMA public TO changecontrol_owner;
GRANT USAGE ON SCHEMA public TO changecontrol_app, changecontrol_sealer;

-- For every table and sequence that a migration will make. Append-only tables take UPDATE and DELETE away again.
ALTER DEFAULT PRIVILEGES FOR ROLE changecontrol_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO changecontrol_app;
ALTER DEFAULT PRIVILEGES FOR ROLE changecontrol_owner IN SCHEMA public
    GRANT SELECT ON TABLES TO changecontrol_sealer;
ALTER DEFAULT PRIVILEGES FOR ROLE changecontrol_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO changecontrol_app, changecontrol_sealer;
