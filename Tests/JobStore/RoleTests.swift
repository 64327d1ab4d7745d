import JobStore
import Jobs
import Postgres
import TestSupport
import Testing

/// What each role can do and, above all, what it cannot.
@Suite struct RoleTests {
  /// A connection as a login that has just this role.
  private func connection(as role: String, _ queue: TestQueue, user: String? = nil) async throws -> PostgresConnection {
    let login = user ?? "test_\(role)"
    // Roles belong to the cluster, which other tests share.
    try await queue.sql(
      """
      DO $$ BEGIN
        IF to_regrole('\(login)') IS NULL THEN CREATE ROLE \(login) LOGIN IN ROLE tintype_\(role); END IF;
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
      END $$
      """)
    let url = queue.url.replacing("user=postgres", with: "user=\(login)")
    return try await PostgresConnection.connect(PostgresConfiguration(url: url))
  }

  private func denied(_ connection: PostgresConnection, _ statements: String...) async throws {
    for sql in statements {
      let error = try await refusal { try await connection.query(sql) }
      #expect(error.sqlState == "42501", "\(sql): \(error)")
    }
  }

  @Test func aSubmitterHasItsOwnJobsAndNothingElse() async throws {
    try await withQueue { queue in
      let alice = try await connection(as: "enqueuer", queue, user: "test_alice")
      let bob = try await connection(as: "enqueuer", queue, user: "test_bob")
      let id: Int64 = try #require(
        try await alice.query("INSERT INTO tintype.jobs (prompt) VALUES ('secret boat') RETURNING id").rows.first
      ).decode("id")
      #expect(try await bob.query("SELECT * FROM tintype.jobs").rows.isEmpty)
      #expect(try await bob.query("UPDATE tintype.jobs SET prompt = 'mine' WHERE id = \(id)").affectedRows == 0)
      #expect(
        try await refusal { try await bob.query("SELECT tintype.cancel(\(id))") }.message
          == "there is no job \(id) of yours")
      #expect(try await refusal { try await bob.query("SELECT tintype.retry(\(id))") }.sqlState == "P0002")
      #expect(
        try await refusal { try await bob.query("INSERT INTO tintype.jobs (prompt, init_job) VALUES ('x', \(id))") }
          .column == "init_job")

      #expect(try await alice.query("SELECT prompt FROM tintype.jobs").rows.count == 1)
      try await alice.query("UPDATE tintype.jobs SET prompt = 'red boat', width = 512 WHERE id = \(id)")
      #expect(
        try await alice.query("SELECT tintype.enqueue('another', steps => 2, run_at => now() + interval '1 h')").rows
          .count == 1)

      // Workers and pauses, which the reason for waiting would tell of, are not hers to see; her jobs are.
      let url = queue.url.replacing("user=postgres", with: "user=test_alice")
      let hers = JobStore(session: PostgresSession(PostgresConfiguration(url: url), patience: .zero))
      #expect(try await hers.list().map(\.prompt) == ["another", "red boat"])
      #expect(try await hers.list().allSatisfy { $0.waitingFor == nil })

      let worker = try await queue.worker()
      let job = try await queue.claimOne(worker)
      _ = try await queue.finish(job, by: worker, success(job))
      #expect(try await alice.query("SELECT * FROM tintype.images").rows.count == 1)
      #expect(try await alice.query("SELECT * FROM tintype.attempts").rows.count == 1)
      #expect(try await bob.query("SELECT * FROM tintype.images").rows.isEmpty)
      #expect(try await bob.query("SELECT * FROM tintype.attempts").rows.isEmpty)

      try await denied(
        alice, "INSERT INTO tintype.jobs (prompt, state) VALUES ('x', 'succeeded')",
        "INSERT INTO tintype.jobs (prompt, submitted_by) VALUES ('x', 'test_bob')",
        "UPDATE tintype.jobs SET state = 'cancelled'", "UPDATE tintype.jobs SET attempt_id = 1",
        "UPDATE tintype.jobs SET idempotency_key = 'k'", "DELETE FROM tintype.jobs", "TRUNCATE tintype.jobs",
        "UPDATE tintype.attempts SET outcome = 'succeeded'", "DELETE FROM tintype.images",
        "SELECT * FROM tintype.queues", "SELECT * FROM tintype.workers", "SELECT * FROM tintype.job_status",
        "SELECT * FROM tintype.claim(1, '{default}', '{}', 1)", "SELECT tintype.maintain()",
        "SELECT tintype.finish(1, 1, 1, 'succeeded', null, null, false, '[]', null, null)",
        "SELECT tintype.end_attempt(1, 1, 'succeeded', null, null, false, null, null)",
        "SELECT tintype.lock_job(1)", "SELECT tintype.settle_waiting_for(1)",
        "SELECT tintype.pause('default')", "SELECT tintype.drain(1)", "SELECT tintype.install_roles()",
        "CREATE TABLE tintype.mine ()", "ALTER TABLE tintype.jobs DISABLE TRIGGER USER",
        "SET session_replication_role = replica")
      await alice.close()
      await bob.close()
    }
  }

  @Test func aWorkerHasItsFunctionsAndNoTable() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let login = try await connection(as: "worker", queue)
      let url = queue.url.replacing("user=postgres", with: "user=test_worker")
      let session = PostgresSession(PostgresConfiguration(url: url), patience: .zero)
      let store = JobStore(session: session)
      try await Migrator(connection: login).requireCurrent()
      let worker = try await store.register(
        WorkerRegistration(name: "w", host: "h", processID: 1, version: "0", queues: ["default"], models: [], slots: 1))
      let job = try #require(try await store.claim(worker: worker, queues: ["default"], models: [], limit: 1).first)
      _ = try await store.heartbeat(worker: worker, running: [])
      #expect(
        try await store.finish(worker: worker, attempt: job.attemptID, job: id, outcome: success(job))
          == .applied(.succeeded))
      try await store.maintain()
      try await store.stop(worker: worker)

      try await denied(
        login, "SELECT * FROM tintype.jobs", "SELECT prompt FROM tintype.jobs", "SELECT * FROM tintype.attempts",
        "SELECT * FROM tintype.images", "SELECT * FROM tintype.job_status",
        "INSERT INTO tintype.jobs (prompt) VALUES ('x')",
        "UPDATE tintype.jobs SET state = 'ready'", "DELETE FROM tintype.jobs",
        "UPDATE tintype.workers SET lease_until = 'infinity'",
        "SELECT tintype.enqueue('x')", "SELECT tintype.cancel(\(id))", "SELECT tintype.retry(\(id))",
        "SELECT tintype.pause('default')", "SELECT tintype.end_attempt(1, 1, 'failed', 'x', 'x', true, null, null)",
        "SELECT tintype.release_all(1, 'released', null, null)", "INSERT INTO tintype.migrations VALUES (99, 'x', 'x')")
      // What it finished stays as it is, whatever it says next.
      #expect(try await store.finish(worker: worker, attempt: job.attemptID, job: id, outcome: failure()) == .leaseLost)
      #expect(try await queue.state(id) == .succeeded)
      await session.close()
      await login.close()
    }
  }

  @Test func aReaderSeesViewsAndNoPrompt() async throws {
    try await withQueue { queue in
      let secrets = [
        "prompt, negative_prompt, init_image, metadata, idempotency_key, strength":
          "'top secret', 'top secret', 'top secret.png', '{\"a\": \"top secret\"}', 'top secret', 1"
      ]
      for (columns, values) in secrets { try await queue.insert(columns, values) }
      try await queue.insert()
      let worker = try await queue.worker()
      let jobs = try await queue.claim(worker, 2)
      _ = try await queue.finish(jobs[0], by: worker, failure())
      _ = try await queue.finish(jobs[1], by: worker, success(jobs[1]))
      let reader = try await connection(as: "reader", queue)
      for view in ["job_status", "queue_status", "worker_status", "throughput", "recent_errors"] {
        let rows = try await reader.query("SELECT v::text AS row FROM tintype.\(view) v").rows
        #expect(!rows.isEmpty, "\(view)")
        for row in rows { #expect(try !row.decode("row", String.self).contains("secret"), "\(view)") }
        let words = try await reader.query(
          "SELECT column_name FROM information_schema.columns WHERE table_schema = 'tintype' AND table_name = '\(view)' AND column_name ~ 'prompt|metadata|init_image|key'"
        ).rows
        #expect(words.isEmpty, "\(view)")
      }
      try await denied(
        reader, "SELECT * FROM tintype.jobs", "SELECT prompt FROM tintype.jobs", "SELECT * FROM tintype.attempts",
        "SELECT * FROM tintype.images", "SELECT * FROM tintype.workers",
        "INSERT INTO tintype.jobs (prompt) VALUES ('x')",
        "UPDATE tintype.migrations SET name = 'x'", "SELECT tintype.cancel(1)", "SELECT tintype.enqueue('x')",
        "SELECT tintype.claim(1, '{default}', '{}', 1)", "SELECT tintype.resume('default')")
      await reader.close()
    }
  }

  @Test func anAdministratorRunsTheQueueButCannotForgeHistory() async throws {
    try await withQueue { queue in
      let id = try await queue.insert()
      let worker = try await queue.worker()
      let admin = try await connection(as: "admin", queue)
      #expect(try await admin.query("SELECT * FROM tintype.jobs").rows.count == 1)
      try await admin.query("UPDATE tintype.jobs SET priority = 5 WHERE id = \(id)")
      for sql in [
        "SELECT tintype.pause('default', 'why')", "SELECT tintype.resume('default')", "SELECT tintype.cancel(\(id))",
        "SELECT tintype.retry(\(id))", "SELECT tintype.drain(\(worker))", "SELECT * FROM tintype.queue_status",
        "INSERT INTO tintype.queues (name, max_running) VALUES ('burst', 2)",
        "UPDATE tintype.queues SET retention = '90 days'",
      ] { try await admin.query(sql) }
      try await denied(
        admin, "UPDATE tintype.jobs SET state = 'succeeded'", "DELETE FROM tintype.jobs", "DELETE FROM tintype.queues",
        "UPDATE tintype.queues SET paused_by = 'someone else'", "UPDATE tintype.workers SET ended_at = null",
        "SELECT tintype.claim(1, '{default}', '{}', 1)", "SELECT tintype.maintain()", "DROP TABLE tintype.jobs")
      await admin.close()
    }
  }

  /// What a role may not do, whatever else it may.
  @Test(arguments: ["enqueuer", "worker", "reader", "admin"]) func noRoleForgesDestroysOrActsForAnother(
    role: String
  ) async throws {
    try await withQueue { queue in
      try await queue.insert()
      let login = try await connection(as: role, queue, user: "test_plain_\(role)")
      let tables = try await queue.sql(
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'tintype'::regnamespace AND relkind = 'r'"
      ).map { try $0.decode("name", String.self) }
      #expect(tables.count > 10)
      for table in tables {
        try await denied(
          login, "TRUNCATE tintype.\(table) CASCADE", "ALTER TABLE tintype.\(table) ADD COLUMN mine integer",
          "DROP TABLE tintype.\(table) CASCADE",
          "CREATE TRIGGER t BEFORE INSERT ON tintype.\(table) EXECUTE FUNCTION mine()")
        if table != "concurrency_limits" || role != "admin" { try await denied(login, "DELETE FROM tintype.\(table)") }
      }
      for column in ["state", "attempt_id", "failures", "losses", "submitted_by", "claim_key", "fair_at", "throttled"] {
        try await denied(login, "INSERT INTO tintype.jobs (prompt, \(column)) VALUES ('x', NULL)")
        try await denied(login, "UPDATE tintype.jobs SET \(column) = NULL")
      }
      // Internal functions are nobody's, and each other function is somebody's.
      let all = try await queue.sql(
        """
        SELECT p.proname AS name, has_function_privilege('tintype_\(role)', p.oid, 'EXECUTE') AS allowed
          FROM pg_proc p WHERE p.pronamespace = 'tintype'::regnamespace AND p.prorettype <> 'trigger'::regtype
        """)
      let allowed = try Set(all.filter { try $0.decode("allowed") }.map { try $0.decode("name", String.self) })
      // The last is a constraint, which an INSERT calls.
      let submits: Set = ["enqueue", "cancel", "retry", "retry_failed", "job_is_whole"]
      let works: Set = [
        "register_worker", "claim", "heartbeat", "finish", "finish_all", "stop_worker", "maintain", "installation_id",
        "own_output", "removals_due", "removals_done", "orphans",
      ]
      let expected: [String: Set<String>] = [
        "enqueuer": submits, "worker": works, "reader": [], "admin": submits.union(["pause", "resume", "drain"]),
      ]
      #expect(allowed == expected[role])
      await login.close()
    }
  }

  /// Objects of a caller's own in the way of those that the functions mean.
  @Test func aSearchPathOfTheCallersChangesNothing() async throws {
    try await withQueue { queue in
      let login = try await connection(as: "enqueuer", queue)
      try await login.execute(
        """
        CREATE TEMP TABLE jobs (id bigint, submitted_by text, state text, queue text);
        CREATE TEMP TABLE queues (name text);
        CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''2001-01-01''::timestamptz';
        CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT ''''::bytea';
        CREATE FUNCTION pg_temp.can_manage(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
        SET search_path = pg_temp, tintype, pg_catalog;
        """)
      let others = try await queue.insert()
      let id: Int64 = try await login.query("SELECT tintype.enqueue('x', idempotency_key => 'k') AS id").rows[0].decode(
        "id")
      #expect(
        try await queue.value(
          "SELECT created_at > '2020-01-01' AND octet_length(request_digest) = 32 FROM tintype.jobs WHERE id = \(id)"))
      for function in ["cancel", "retry"] {
        #expect(
          try await refusal { try await login.query("SELECT tintype.\(function)(\(others))") }.sqlState == "P0002")
      }
      await login.close()
    }
  }

  @Test func nobodyLogsInAsTheOwner() async throws {
    try await withQueue { queue in
      let isClosed: Bool = try await queue.value(
        "SELECT NOT rolcanlogin AND NOT rolsuper FROM pg_roles WHERE rolname = 'tintype_owner'")
      #expect(isClosed)
      let url = queue.url.replacing("user=postgres", with: "user=tintype_owner")
      await #expect(throws: PostgresError.self) {
        try await PostgresConnection.connect(PostgresConfiguration(url: url))
      }
    }
  }

  @Test func functionsRunAsTheOwnerWhoCannotLogIn() async throws {
    try await withQueue { queue in
      let strangers = try await queue.sql(
        """
        SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
         WHERE p.pronamespace = 'tintype'::regnamespace AND (r.rolname <> 'tintype_owner' OR r.rolcanlogin OR r.rolsuper)
        """)
      #expect(strangers.isEmpty)
      // Without a fixed search_path a caller could put its own functions in the way of a SECURITY DEFINER function.
      let loose = try await queue.sql(
        """
        SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'tintype'::regnamespace AND prosecdef
           AND NOT coalesce(proconfig, '{}') && '{"search_path=pg_catalog, pg_temp"}'
        """)
      #expect(loose.isEmpty)
      let open = try await queue.sql(
        "SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'tintype'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')"
      )
      #expect(open.isEmpty)
    }
  }

  @Test func withoutTheRightToCreateRolesItStillWorks() async throws {
    try await withDatabase { url in
      let root = try await PostgresConnection.connect(PostgresConfiguration(url: url))
      let name: String = try #require(try await root.query("SELECT current_database() AS name").rows.first).decode(
        "name")
      let owner = "owner_of_\(name)"
      try await root.execute("CREATE ROLE \(owner) LOGIN; ALTER DATABASE \(name) OWNER TO \(owner)")
      let plain = try await PostgresConnection.connect(
        PostgresConfiguration(url: url.replacing("user=postgres", with: "user=\(owner)")))
      try await Migrator(connection: plain).migrate()
      try await plain.query("INSERT INTO tintype.jobs (prompt) VALUES ('x')")
      #expect(try await plain.query("SELECT tintype.cancel(1)").rows.count == 1)
      await plain.close()
      // Later, a superuser runs Deploy/roles/roles.sql.
      #expect(try await root.query("SELECT tintype.install_roles() AS ok").rows[0].decode("ok"))
      let left = try await root.query(
        "SELECT FROM pg_class WHERE relnamespace = 'tintype'::regnamespace AND pg_get_userbyid(relowner) = '\(owner)'"
      ).rows
      #expect(left.isEmpty)
      try await root.execute("ALTER DATABASE \(name) OWNER TO postgres; DROP ROLE \(owner)")
      await root.close()
    }
  }
}
