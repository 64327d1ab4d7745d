-- Who may do what. Roles belong to the whole cluster, so creating them needs rights that whoever migrates may not have:
-- then this says so and everything belongs to that user, until a superuser runs Deploy/roles/roles.sql.

-- Rows: a submitter has its own, whatever rights on columns it holds. The owner, and the functions, see all.
ALTER TABLE tintype.jobs     ENABLE ROW LEVEL SECURITY;
ALTER TABLE tintype.attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE tintype.images   ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_jobs ON tintype.jobs USING (submitted_by = session_user) WITH CHECK (submitted_by = session_user);
CREATE POLICY own_jobs ON tintype.attempts FOR SELECT USING (EXISTS (SELECT FROM tintype.jobs j WHERE j.id = job_id));
CREATE POLICY own_jobs ON tintype.images   FOR SELECT USING (EXISTS (SELECT FROM tintype.jobs j WHERE j.id = job_id));

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tintype FROM PUBLIC;

CREATE FUNCTION tintype.install_roles() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  role   text;
  object record;
BEGIN
  FOREACH role IN ARRAY ARRAY['tintype_owner', 'tintype_enqueuer', 'tintype_worker', 'tintype_reader', 'tintype_admin'] LOOP
    CONTINUE WHEN to_regrole(role) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
      IF role = 'tintype_admin' THEN
        GRANT tintype_enqueuer, tintype_reader TO tintype_admin;
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- another database of this cluster is being migrated at this moment
    END;
  END LOOP;
  IF NOT pg_has_role(current_user, 'tintype_owner', 'MEMBER') THEN
    EXECUTE format('GRANT tintype_owner TO %I', current_user);
  END IF;

  -- Everything belongs to a role that nobody logs in as, so the functions run with its rights and not a superuser's.
  ALTER SCHEMA tintype OWNER TO tintype_owner;
  FOR object IN
    SELECT format('ALTER TABLE %s OWNER TO tintype_owner', oid::regclass) AS command FROM pg_class
     WHERE relnamespace = 'tintype'::regnamespace AND relkind IN ('r', 'v', 'p')
    UNION ALL
    SELECT format('ALTER FUNCTION %s OWNER TO tintype_owner', oid::regprocedure) FROM pg_proc
     WHERE pronamespace = 'tintype'::regnamespace
  LOOP
    EXECUTE object.command;
  END LOOP;

  GRANT USAGE ON SCHEMA tintype TO tintype_enqueuer, tintype_worker, tintype_reader, tintype_admin;

  -- Submitters: requests, and what became of their own.
  GRANT SELECT ON tintype.jobs, tintype.attempts, tintype.images TO tintype_enqueuer;
  GRANT INSERT (prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
      init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, idempotency_key, metadata),
    UPDATE (prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
      init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, metadata)
    ON tintype.jobs TO tintype_enqueuer;
  GRANT EXECUTE ON FUNCTION tintype.enqueue, tintype.cancel, tintype.retry TO tintype_enqueuer;

  -- Workers: their functions, and the version of the schema. No table.
  GRANT EXECUTE ON FUNCTION tintype.register_worker, tintype.claim, tintype.heartbeat, tintype.finish, tintype.stop_worker,
    tintype.maintain TO tintype_worker;
  GRANT SELECT ON tintype.migrations TO tintype_worker, tintype_reader;

  -- Dashboards: views, none of which shows a prompt.
  GRANT SELECT ON tintype.job_status, tintype.queue_status, tintype.worker_status, tintype.throughput, tintype.recent_errors
    TO tintype_reader;

  -- Operators: both of these (by membership, above) on everybody's jobs, queues and their policy, and the control of workers.
  GRANT SELECT ON tintype.queues, tintype.workers TO tintype_admin;
  GRANT INSERT (name, max_running, max_attempts, max_losses, timeout, retry_base, retry_cap, retention),
    UPDATE (max_running, max_attempts, max_losses, timeout, retry_base, retry_cap, retention)
    ON tintype.queues TO tintype_admin;
  GRANT EXECUTE ON FUNCTION tintype.pause, tintype.resume, tintype.drain TO tintype_admin;
  IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'tintype.jobs'::regclass AND polname = 'all_jobs') THEN
    CREATE POLICY all_jobs ON tintype.jobs TO tintype_admin USING (true) WITH CHECK (true);
  END IF;
  RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'user % may not create roles (%): everything in schema tintype belongs to it. For least privilege, run Deploy/roles/roles.sql as a superuser.',
    current_user, SQLERRM;
  RETURN false;
END $$;
COMMENT ON FUNCTION tintype.install_roles IS 'Creates Tintype''s roles where they are missing and gives each its rights; safe to repeat. False, with a notice, if the user may not create roles';
REVOKE ALL ON FUNCTION tintype.install_roles FROM PUBLIC;
-- A later migration that adds a table, a view or a function ends with this call, too.
SELECT tintype.install_roles();
