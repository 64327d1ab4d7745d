internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Threads that share the indices of a loop: `threads - 1` persistent workers and the thread that calls.
///
/// Why not Swift's cooperative pool: a kernel never suspends, so on two processors two kernels would hold both
/// of its threads and starve the heartbeat (a 0.1 s tick was measured 3 s late). Why not a thread per call: a
/// kernel may last 50 µs, and waking a sleeping thread costs as much. So a worker that has run out of work
/// watches for more for some microseconds before it sleeps, which bridges the gap between two kernels.
///
/// Indices are handed out one at a time, to whoever asks: a processor that is busy elsewhere delays its own
/// index, not a fixed share. A kernel's result must therefore depend on the index alone, never on the thread.
public final class ThreadPool: Sendable {
  /// Threads that work on a loop, the calling one included.
  public let threads: Int
  private let crew: Crew

  /// Starts the workers.
  ///
  /// - Parameter threads: threads in all; nil means ``ProcessorCount/available``. At least one.
  public init(threads: Int? = nil) {
    let wanted = max(1, threads ?? ProcessorCount.available)
    let crew = Crew()
    // A system that refuses more threads leaves a smaller pool, not a broken one.
    self.threads = 1 + (1..<wanted).prefix { _ in startThread(crew) }.count
    self.crew = crew
  }

  deinit { crew.stop() }

  /// Calls `body` with every index in `0..<count`, on all threads of the pool; returns when all are done.
  ///
  /// Callable from several threads; their loops run one after the other. Not from inside a `body`.
  package func run(count: Int, _ body: (_ index: Int) -> Void) {
    if threads == 1 || count <= 1 {
      for index in 0..<count { body(index) }
    } else {
      withoutActuallyEscaping(body) { crew.run(count: count, $0) }
    }
  }
}

/// What a pool and its workers share. The workers keep it alive, so a pool can be dropped while they wind down.
///
/// Unchecked: `body` and `count` are written under `mutex` while no worker is inside a loop, and read by a
/// worker only after it has entered the loop under the same mutex.
@safe private final class Crew: @unchecked Sendable {
  /// Looks a waiting thread takes at the state before it sleeps: some ten microseconds.
  private static let patience = 20_000

  private let mutex = PthreadMutex()
  /// Held for the length of a loop by the thread that called for it.
  private let turn = PthreadMutex()
  private let begun = PthreadCondition()
  private let finished = PthreadCondition()

  /// Counts loops; a change tells a worker that there is one it has not seen.
  private let loop = Atomic<Int>(0)
  /// Workers inside the current loop.
  private let inside = Atomic<Int>(0)
  /// The next index to hand out.
  private let next = Atomic<Int>(0)
  private var isOpen = false
  private var isStopping = false
  private var count = 0
  private var body: ((Int) -> Void)?

  func run(count: Int, _ body: @escaping (Int) -> Void) {
    turn.lock()
    mutex.lock()
    self.count = count
    self.body = body
    next.store(0, ordering: .relaxed)
    isOpen = true
    loop.wrappingAdd(1, ordering: .releasing)
    begun.broadcast()
    mutex.unlock()

    work()

    // Nobody enters any more; workers that slept through the loop are not waited for.
    mutex.lock()
    isOpen = false
    mutex.unlock()
    spin { inside.load(ordering: .acquiring) == 0 }
    mutex.lock()
    while inside.load(ordering: .acquiring) != 0 { finished.wait(mutex) }
    self.body = nil
    mutex.unlock()
    turn.unlock()
  }

  func stop() {
    mutex.lock()
    isStopping = true
    loop.wrappingAdd(1, ordering: .releasing)
    begun.broadcast()
    mutex.unlock()
  }

  /// A worker's life.
  func serve() {
    var seen = 0
    while true {
      spin { loop.load(ordering: .acquiring) != seen }
      mutex.lock()
      while loop.load(ordering: .acquiring) == seen { begun.wait(mutex) }
      seen = loop.load(ordering: .acquiring)
      let (stops, enters) = (isStopping, isOpen)
      if enters { inside.wrappingAdd(1, ordering: .relaxed) }
      mutex.unlock()
      if stops { return }
      guard enters else { continue }
      work()
      if inside.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
        mutex.lock()
        finished.broadcast()
        mutex.unlock()
      }
    }
  }

  /// Takes indices until none are left. Not inlined: the reference to `body` must be gone when it returns, since
  /// the closure lives no longer than the loop.
  @inline(never)
  private func work() {
    guard let body else { return }
    let count = count
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      body(index)
    }
  }

  private func spin(until isDone: () -> Bool) {
    var looks = 0
    while looks < Self.patience, !isDone() { looks += 1 }
  }
}

/// Starts one worker; false if the system refuses. Signals stay with the threads that expect them.
private func startThread(_ crew: Crew) -> Bool {
  var blocked = sigset_t()
  var previous = sigset_t()
  unsafe sigfillset(&blocked)
  unsafe pthread_sigmask(SIG_SETMASK, &blocked, &previous)
  defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
  var attributes = pthread_attr_t()
  unsafe pthread_attr_init(&attributes)
  defer { unsafe pthread_attr_destroy(&attributes) }
  // Small C libraries give threads 128 KB, which a debug build's frames could exceed.
  unsafe pthread_attr_setstacksize(&attributes, 4 << 20)
  unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  let context = unsafe Unmanaged.passRetained(crew)
  #if canImport(Darwin)
    var thread: pthread_t?
  #else
    var thread = pthread_t()
  #endif
  let status = unsafe pthread_create(
    &thread, &attributes,
    { context in
      #if canImport(Darwin)
        unsafe Unmanaged<Crew>.fromOpaque(context).takeRetainedValue().serve()
      #else
        if let context = unsafe context { unsafe Unmanaged<Crew>.fromOpaque(context).takeRetainedValue().serve() }
      #endif
      return nil
    }, context.toOpaque())
  if status != 0 { unsafe context.release() }
  return status == 0
}
