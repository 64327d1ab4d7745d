-- What a program whose last migration is V0022 sends, statement by statement. A schema that still serves it answers these.
register: SELECT tintype.register_worker($1, $2, $3, $4, $5, $6, $7, $8) AS id
claim: SELECT id, attempt_id, attempt_number, max_attempts, queue, model, prompt, negative_prompt, width, height, steps, guidance_scale, strength, seed, image_count, init_image, init_image_data, init_job, init_artifact_path, init_artifact_sha256, timeout, metadata FROM tintype.claim($1, $2, $3, $4, $5, $6)
heartbeat: SELECT cancel, revoked, drain, fenced FROM tintype.heartbeat($1, $2)
finish: SELECT tintype.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS state
finish_all: SELECT attempt, state FROM tintype.finish_all($1, $2)
maintain: SELECT ran, grace, promoted, workers_lost, rescued, timed_out, pruned, expired, admitted, next_due FROM tintype.maintain(make_interval(secs => $1))
stop: SELECT tintype.stop_worker($1) AS released
enqueue: SELECT tintype.enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, make_interval(secs => $18), $19, $20, $21, $22, $23) AS id
waiting: SELECT id, waiting_for FROM tintype.job_status WHERE id = ANY ($1) AND waiting_for IS NOT NULL
