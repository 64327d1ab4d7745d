import Logging

/// Every setting, declared once. A request's own options (`--prompt`, `--steps`, …) are not settings: they have no
/// environment variable.
enum Settings {
  // MARK: Where things are

  static let databaseURL = Setting<String>(
    "database-url", "URL",
    "PostgreSQL connection URL or keyword string. A password belongs in .pgpass or a systemd credential, not here.",
    defaultText: "libpq's environment: PGHOST, PGDATABASE, PGSERVICE, …")
  static let models = Setting<ModelList>(
    "model", "[NAME=]DIR",
    "Folder of a model in the diffusers layout, and the name that jobs.model gives it (default: the folder's name). "
      + "Repeatable; the first serves jobs that name no model. In the variable: separated by commas.")
  static let output = Setting<String>(
    "output", "DIR", "Folder where pictures are written, created if absent. images.path is relative to it.")
  static let input = Setting<String>(
    "input", "DIR",
    "Folder that jobs.init_image is relative to. Nothing outside it is ever read. Without it such jobs fail.")
  static let stateDirectory = Setting<String>(
    "state-dir", "DIR", "Where `tintype up` keeps its PostgreSQL, pictures and log.",
    defaultText: "/var/lib/tintype for root, else ~/.local/state/tintype")

  // MARK: What a worker takes

  static let queues = Setting<NameList>(
    "queue", "NAME", "Queue to take jobs from. Repeatable. In the variable: separated by commas.",
    default: NameList(["default"]))
  static let maxJobs = Setting<PositiveInteger>("max-jobs", "N", "Stop after this many jobs.", defaultText: "no limit")
  static let maxPixels = Setting<PositiveInteger>(
    "max-pixels", "N",
    "Largest picture that is drawn, width × height. A larger job fails here and is tried again, perhaps elsewhere. The table takes "
      + "up to 4096 × 4096; memory decides what a machine can do.", default: PositiveInteger(2048 * 2048))
  static let idleExit = Setting<Seconds>(
    "idle-exit", "SECONDS", "Stop when no job was found for this long.", defaultText: "never")
  static let slots = Setting<PositiveInteger>(
    "slots", "N",
    "Jobs taken at once. Pictures of 384 × 384 and smaller that are alike are drawn several at a time, which is faster: 3 keeps "
      + "batches of that size full, 5 those of 256 × 256, 9 those of 128 × 128. Larger ones are drawn one after another all the "
      + "same; with 2, the next job's start picture is read and the last one's file written while one is drawn, and a job more "
      + "waits here instead of going to another worker.",
    default: PositiveInteger(1))
  static let sameShape = Setting<Bool>(
    "same-shape", "BOOL",
    "With several slots: take only jobs like the first at once: same model, size, steps and kind of start. Such jobs can be drawn "
      + "together, if both or neither have a guidance_scale above 1.",
    default: false)
  static let workerName = Setting<String>(
    "name", "NAME", "The worker's name in tintype.workers and in logs.", defaultText: "host name and process id")

  // MARK: How a worker runs

  static let drainTimeout = Setting<Seconds>(
    "drain-timeout", "SECONDS",
    "After SIGTERM, how long running jobs may take to finish before they are given back to the queue.",
    default: Seconds(60))
  static let lease = Setting<Seconds>(
    "lease", "SECONDS",
    "How long the database trusts a worker that says nothing: a dead worker's jobs run elsewhere after this time.",
    default: Seconds(20))
  static let threads = Setting<PositiveInteger>(
    "threads", "N", "Threads that compute.", defaultText: "the cores this process may use")
  static let precision = Setting<PrecisionName>(
    "precision", "PRECISION",
    "fp32, or int8: linear layers in 8-bit integers, convolutions and attention in 16-bit ones; half of the time and three fifths of the "
      + "memory for a small, measured difference (Docs/numerics.md). The int8 weights are made once and kept on disk.",
    default: .fp32)
  static let cacheDirectory = Setting<String>(
    "cache-dir", "DIR", "Where int8 weights are kept. They may be deleted at any time.",
    defaultText: "the model's folder; if that is read-only, $CACHE_DIRECTORY or ~/.cache/tintype")
  static let residentModels = Setting<PositiveInteger>(
    "resident-models", "N", "How many models stay in memory; beyond that the least recently used leaves.",
    default: PositiveInteger(1))
  static let memoryLimit = Setting<ByteCount>(
    "memory-limit", "SIZE",
    "Memory that the process may hold, weights included. A job that needs more is refused before it runs. `tintype models "
      + "inspect DIR --plan 512x512` says what a picture needs.",
    defaultText: "the machine's, or its control group's")
  static let lazy = Setting<Bool>(
    "lazy", "BOOL", "Load models at their first job instead of before the worker reports that it is ready.",
    default: false)

  // MARK: What it says

  static let logLevel = Setting<LogLevel>(
    "log-level", "LEVEL", "Least severe level that is logged: \(LogLevel.names).", default: LogLevel(level: .info))
  static let logFormat = Setting<LogFormat>(
    "log-format", "FORMAT",
    "text (lines for people), json (one object a line), journal (systemd's fields), or auto: journal under systemd, else text.",
    default: .auto)

  // MARK: Who watches

  static let listen = Setting<Listen>(
    "listen", "HOST:PORT",
    "Answer /metrics (Prometheus), /livez and /readyz here. Anybody who reaches the address is answered; no prompt is told.",
    defaultText: "nowhere")
  static let metricsFile = Setting<String>(
    "metrics-file", "FILE",
    "Write the metrics here every 15 seconds, for node_exporter's textfile collector: FILE ends in .prom.",
    defaultText: "nowhere")

  /// In the order of the documentation.
  static let all: [(section: String, settings: [any SettingDescription])] = [
    ("Where things are", [databaseURL, models, output, input, stateDirectory]),
    ("What a worker takes", [queues, slots, sameShape, maxJobs, maxPixels, idleExit, workerName]),
    (
      "How a worker runs", [drainTimeout, lease, threads, precision, cacheDirectory, memoryLimit, residentModels, lazy]
    ),
    ("What it says", [logLevel, logFormat]),
    ("Who watches", [listen, metricsFile]),
  ]
}
