/*
 * Claim, lease, rescue and finish, with every interleaving of two workers, the database and a network that loses answers and
 * delivers late. One job. Checked exhaustively by `Tests/Model/check`.
 *
 * What it adds to the tests of state × event pairs: those check each step of the database alone; here the steps of processes
 * that believe different things at one moment follow each other in every order.
 *
 * Time is a counter that any process may be overtaken by. A lease is LEASE ticks by the database's clock from when it handled
 * the heartbeat; a worker relies on its own share, MARGIN ticks from when it *sent* it, as Sources/Worker/LeaseClock.swift
 * does. A worker can stand still for any time at any point (SIGSTOP, a machine that sleeps), and then goes on where it was.
 */

#define WORKERS 2
#define LEASE 2
#ifndef MARGIN
#define MARGIN 1
#endif
#define HORIZON 4
#define NONE 255
/* Each worker process may be followed by new registrations of its own: an id is never used twice. */
#define IDS 3
#define ATTEMPTS 2

mtype = { ready, running, succeeded };

/* The database. Each d_step is a transaction. */
byte now = 0;
mtype state = ready;
byte holder_attempt = NONE;         /* jobs.attempt_id */
byte attempts = 0;                  /* the sequence */
byte worker_of[ATTEMPTS];           /* attempts.worker_id */
bool open_attempt[ATTEMPTS];        /* attempts.finished_at IS NULL */
byte ids = 0;
byte lease_until[IDS];
bool ended[IDS];
byte images_attempt = NONE;         /* images.attempt_id, what the row names */

/* The disk: which attempts' files exist. The path carries the attempt. */
bool file[ATTEMPTS];

/* What each process is doing, for the properties. */
bool working[WORKERS];              /* the handler runs, and the process is not standing still */
byte work_attempt[WORKERS];
byte successes = 0;
byte deadline[WORKERS];             /* until when each relies on its lease */

inline register_worker(me) {
  d_step {
    if :: ids < IDS -> me = ids; ids++; lease_until[me] = now + LEASE; ended[me] = false
       :: else -> me = NONE
    fi
  }
}

/* claim(): the worker's lease must hold; the job becomes the new attempt's. */
inline claim(me, got) {
  d_step {
    if :: state == ready && !ended[me] && lease_until[me] > now && attempts < ATTEMPTS ->
          got = attempts; attempts++;
          worker_of[got] = me; open_attempt[got] = true;
          holder_attempt = got; state = running
       :: else -> got = NONE
    fi
  }
}

/* heartbeat(): renews unless the worker has been given up; then it is fenced. */
inline heartbeat(me, fenced) {
  d_step {
    if :: !ended[me] -> lease_until[me] = now + LEASE; fenced = false
       :: else -> fenced = true
    fi
  }
}

/* finish(): only the attempt that holds the job; asking twice is safe. */
inline finish(mine, applied) {
  d_step {
    if :: state == running && holder_attempt == mine ->
          state = succeeded; open_attempt[mine] = false; images_attempt = mine; successes++; applied = true
       :: state == succeeded && images_attempt == mine -> applied = true
       :: else -> applied = false
    fi
  }
}

/* maintain(): workers whose lease is over are marked, and what they hold is taken back. */
active proctype Maintenance() {
  byte i;
  end: do
  :: atomic { i = 0;
       do
       :: i < ids && !ended[i] && lease_until[i] < now -> break
       :: i < ids -> i++
       :: i >= ids -> break
       od;
       if :: i < ids -> ended[i] = true; lease_until[i] = 0;
             if :: state == running && worker_of[holder_attempt] == i ->
                   open_attempt[holder_attempt] = false; holder_attempt = NONE; state = ready
                :: else
                fi
          :: else
       fi; i = 0 }
  od
}

/* A handler is stopped at its worker's deadline, at the end of the block of the network that it is in. Blocks are short
   against the rest of the lease: no tick passes while one runs beyond the deadline. */
#define extend(w) deadline[w] = (sent + MARGIN > deadline[w] -> sent + MARGIN : deadline[w])
#define overdue(w) (working[w] && now >= deadline[w])
active proctype Clock() {
  end: do :: now < HORIZON && !overdue(0) && !overdue(1) -> now++ od
}

#define self (_pid - 2)
#define forget sent = 0; fenced = false; applied = false

/*
 * A worker. An answer may be lost after the database has done its part: then the worker does not know. An answer that is late
 * is the same as a process that stands still after it.
 */
active [WORKERS] proctype Worker() {
  byte me = NONE, mine = NONE, sent, each;
  bool fenced, applied;

  begin:
  atomic {
    forget; me = NONE; mine = NONE; deadline[self] = 0; work_attempt[self] = NONE;
    sent = now
  };
  atomic {
    register_worker(me);
    if :: me == NONE -> goto done :: else fi;
    deadline[self] = sent + MARGIN
  };

  idle:
  atomic {
    forget; mine = NONE;
    if
    :: now >= deadline[self] -> goto begin      /* the lease is lost: a new registration */
    :: now < deadline[self]
    fi
  };
  atomic {
    claim(me, mine);
    if
    :: mine == NONE
    :: mine != NONE -> goto work
    :: mine != NONE -> goto begin               /* the answer was lost, and so was the patience */
    fi
  };
  if :: now >= HORIZON -> goto done :: true fi;
  sent = now;
  atomic {
    heartbeat(me, fenced);
    if
    :: fenced -> goto begin
    :: !fenced -> extend(self); goto idle
    :: !fenced -> goto idle                     /* the answer was lost */
    fi
  };

  /* The handler. Between two blocks of the network it looks at its deadline; each look is followed by a block. */
  work:
  work_attempt[self] = mine;
  do
  :: atomic { now < deadline[self] -> working[self] = true }; working[self] = false
  :: now >= deadline[self] -> goto give_up
  :: sent = now;
     atomic {
       heartbeat(me, fenced);
       if
       :: fenced -> goto give_up
       :: !fenced -> extend(self)
       :: !fenced                               /* the answer was lost */
       fi;
       forget
     }
  :: goto write
  :: goto done                                  /* kill -9 */
  od;

  /* Whether the lease holds was looked at a moment ago, or an age ago: the process may have stood still right here. */
  write:
  file[mine] = true;
  if :: true :: goto done fi;                   /* kill -9 between the file and the report */

  report:
  atomic {
    finish(mine, applied);
    if
    :: applied -> goto begin                    /* on with the next; a new registration stands for a new turn */
    :: !applied -> goto give_up                 /* the lease was lost: our own file goes */
    :: true -> goto report                      /* the answer was lost: ask again */
    :: true -> goto done                        /* kill -9 */
    fi
  };

  give_up:
  atomic {
#ifdef BUG_SHARED_PATH
    /* What happens when the path does not carry the attempt. */
    each = 0; do :: each < ATTEMPTS -> file[each] = false; each++ :: else -> break od; each = 0;
#else
    file[mine] = false;
#endif
    goto begin
  };

  done:
  atomic { forget; me = NONE; mine = NONE; deadline[self] = 0; working[self] = false; work_attempt[self] = NONE }
}

/* At most one success; the row's picture is there; who holds the job is one; nobody works on what another one holds. */
#define one_success (successes <= 1)
#define picture_exists (state != succeeded || file[images_attempt])
#define holder_is_open (state != running || (holder_attempt < attempts && open_attempt[holder_attempt]))
/* While a handler runs, the attempt it runs for holds the job: no second one can have begun. */
#define works_as_holder(w) (!working[w] || (state == running && holder_attempt == work_attempt[w]) || state == succeeded)

active proctype Monitor() {
  atomic { !(one_success && picture_exists && holder_is_open && works_as_holder(0) && works_as_holder(1)) -> assert(false) }
}
