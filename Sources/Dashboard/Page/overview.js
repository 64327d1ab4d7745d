// How things are now, and how the last hour went.
import { button } from './actions.js';
import { chart } from './chart.js';
import { h } from './elements.js';
import { badge, clock, duration, jobLink, moment, number, plural, progress, table } from './format.js';
import { tiles } from './gallery.js';
import { sight } from './server.js';

export function overview({ now, hour, pictures }) {
  if (!now) return [h('h1', {}, 'Overview'), h('p', { class: 'faint' }, 'Waiting for the database …')];
  return [
    h('h1', { tabindex: -1, class: 'unseen' }, 'Overview'),
    attention(now),
    figures(now, hour),
    hour && lastHour(hour),
    pictures?.length > 0 && h('section', { 'data-key': 'pictures' },
      h('h2', {}, h('a', { href: '#/gallery' }, 'Newest pictures')), tiles(pictures, 'strip')),
    h('section', { 'data-key': 'queues' }, h('h2', {}, 'Queues'), queues(now)),
    h('section', { 'data-key': 'workers' }, h('h2', {}, 'Workers'), workers(now)),
    h('section', { 'data-key': 'errors' }, h('h2', {}, 'Last errors'), errors(now)),
  ];
}

const isAlive = worker => worker.state === 'running' || worker.state === 'draining';

// What someone should do something about, in a sentence each.
function attention({ queues, workers }) {
  const waiting = queues.filter(queue => !queue.paused_at).reduce((sum, queue) => sum + Number(queue.ready), 0);
  const notes = [];
  if (waiting > 0 && !workers.some(isAlive)) {
    notes.push(h('li', { 'data-key': 'no worker' }, `${plural(waiting, 'job waits', 'jobs wait')} and no worker runs. Start one: `,
      h('code', {}, 'tintype worker --model DIR --output DIR')));
  }
  for (const queue of queues) {
    if (queue.paused_at && Number(queue.ready) > 0) {
      notes.push(h('li', { 'data-key': `queue ${queue.queue}` }, `Queue ${queue.queue} is paused, and `,
        `${plural(queue.ready, 'job waits', 'jobs wait')} in it.`));
    }
  }
  for (const worker of workers.filter(worker => worker.state === 'silent')) {
    notes.push(h('li', { 'data-key': `worker ${worker.id}` },
      `Worker ${worker.name} has been silent for ${duration(worker.silent_for)}; others take over what it ran.`));
  }
  return notes.length > 0 && h('ul', { class: 'attention', 'data-key': 'attention', role: 'status' }, notes);
}

function figures({ queues, workers }, hour) {
  const sum = key => queues.reduce((total, queue) => total + Number(queue[key]), 0);
  const longest = Math.max(0, ...queues.map(queue => queue.oldest_ready ?? 0));
  const alive = workers.filter(isAlive), busy = new Set(alive.filter(worker => worker.job).map(worker => worker.id)).size;
  const minutes = hour?.minutes ?? [], total = key => minutes.reduce((all, minute) => all + Number(minute[key]), 0);
  const figure = (label, value, note) =>
    h('div', { class: 'sheet figure', 'data-key': label }, h('dt', {}, label), h('dd', {}, h('b', {}, value), h('span', {}, note)));
  return h('dl', { class: 'figures', 'data-key': 'figures' },
    figure('Waiting', number(sum('ready')), longest > 0 ? `the first for ${duration(longest)}` : 'nothing in line'),
    figure('Running', number(sum('running')), busy > 0 ? `on ${plural(busy, 'worker')}` : 'nothing at work'),
    figure('Later', number(sum('scheduled') + sum('blocked')), `${number(sum('scheduled'))} scheduled, ${number(sum('blocked'))} blocked`),
    figure('Workers', number(new Set(alive.map(worker => worker.id)).size), alive.length > 0 ? `${number(busy)} at work` : 'none runs'),
    figure('This hour', hour ? number(total('succeeded')) : '–', hour ? `jobs done, ${plural(total('images'), 'picture')}` : 'jobs done'));
}

function lastHour(hour) {
  const row = (label, values) => ({ key: label, cells: [h('b', {}, label), ...[0, 1, 2].map(i => duration(values?.[i]))] });
  return h('section', { 'data-key': 'hour', class: 'hour' },
    h('div', {}, h('h2', {}, 'The last hour'), chart(hour.minutes, hour.now)),
    h('div', {}, h('h2', {}, 'Waiting and running'),
      table('How long the jobs of the last hour waited and ran', [['', ''], ['Half', 'number'], ['95 of 100', 'number'], ['99 of 100', 'number']],
        Number(hour.times?.jobs) > 0 ? [row('waited', hour.times.wait), row('ran', hour.times.run)] : [], 'No job has ended within an hour.', 'small'),
      Number(hour.times?.jobs) > 0 && h('p', { class: 'faint' }, 'So many jobs took at most so long.')));
}

function queues(now) {
  const columns = [['Queue'], ['Waiting', 'number'], ['First in line', 'number'], ['Running', 'number'], ['Scheduled', 'number'],
    ['Blocked', 'number'], ['Workers', 'number'], ['State', 'wide'], ...(sight.actions ? [['Action', 'act']] : [])];
  return table('Queues', columns, now.queues.map(queue => {
    const path = `api/queues/${encodeURIComponent(queue.queue)}`;
    return { key: queue.queue, cells: [
      h('a', { href: `#/jobs?queue=${encodeURIComponent(queue.queue)}` }, queue.queue),
      number(queue.ready), duration(queue.oldest_ready),
      number(queue.running) + (queue.max_running ? ` of ${number(queue.max_running)}` : ''),
      number(queue.scheduled), number(queue.blocked), number(queue.workers),
      queue.paused_at
        ? [badge('paused'), ' ', h('span', { class: 'faint' }, moment(queue.paused_at), ` by ${queue.paused_by}`,
          queue.pause_reason ? `: ${queue.pause_reason}` : '')]
        : badge('open'),
      ...(sight.actions ? [queue.paused_at
        ? button('Resume', `${path}/resume`, `Resume queue ${queue.queue}?`)
        : button('Pause', `${path}/pause`, `Pause queue ${queue.queue}? What runs, runs on.`, true)] : []),
    ] };
  }), 'No queue yet: the first job makes one.');
}

function workers(now) {
  const columns = [['Worker', 'tight'], ['State'], ['Job', 'number'], ['Doing'], ['Progress'], ['Models'], ['Heard', 'number'], ['Version']];
  return table('Workers that live, or ended within a day', columns, now.workers.map(worker => ({
    key: `${worker.id} ${worker.job ?? ''}`, cells: [
      [worker.name, h('div', { class: 'faint' }, `${worker.host}, process ${worker.pid}`)],
      badge(worker.state === 'running' && !worker.job ? 'idle' : worker.state), jobLink(worker.job),
      worker.phase ? `${worker.phase}${worker.step ? ` ${worker.step}` : ''}` : worker.job ? 'starting' : '–',
      worker.job ? progress(worker.progress, `progress of job ${worker.job}`) : '–',
      (worker.models ?? []).join(', '),
      worker.ended ? moment(worker.ended) : moment(clock() - worker.silent_for), worker.version,
    ] })), 'No worker has registered within a day.');
}

function errors(now) {
  return table('The last attempts that went wrong', [['When'], ['Job', 'number'], ['Worker', 'tight'], ['Phase'], ['What', 'wide']],
    now.errors.map(error => ({
      key: `${error.job_id} ${error.at}`, cells: [
        moment(error.at), jobLink(error.job_id), error.worker, error.phase ?? '–',
        [h('code', {}, error.error_code), error.error ? ` ${error.error}` : ''],
      ] })), 'Nothing has gone wrong.');
}
