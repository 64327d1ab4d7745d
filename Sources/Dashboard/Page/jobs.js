// The list of jobs, narrowed by state, queue and words.
import { h } from './elements.js';
import { badge, clock, duration, jobLink, moment, progress, table } from './format.js';
import { get, sight } from './server.js';

const states = ['ready', 'scheduled', 'blocked', 'running', 'succeeded', 'failed', 'cancelled'];
const pageSize = 100;

export async function jobs(query) {
  const list = await get(`api/jobs?${query}`);
  const page = before => {
    const other = new URLSearchParams(query);
    if (before) other.set('before', before); else other.delete('before');
    return `#/jobs?${other}`;
  };
  const isNarrowed = ['state', 'queue', 'search'].some(name => query.get(name));
  return [
    h('h1', { tabindex: -1 }, 'Jobs'),
    filter(query),
    table('Jobs, the newest first', columns(), list.map(row),
      isNarrowed ? ['No job fits. ', h('a', { href: '#/jobs' }, 'Show all')]
        : ['No job yet. Put one in: ', h('code', {}, "INSERT INTO tintype.jobs (prompt) VALUES ('a red boat');")]),
    h('nav', { class: 'pages', 'aria-label': 'More jobs' },
      query.get('before') && h('a', { href: page(null) }, '← Newest'),
      list.length === pageSize && h('a', { href: page(list[list.length - 1].id) }, 'Older →')),
  ];
}

function filter(query) {
  const option = (value, label) => h('option', { value, selected: (query.get('state') ?? '') === value }, label ?? value);
  const field = (label, name, type, hint) =>
    h('label', {}, label, h('input', { name, type, value: query.get(name) ?? '', placeholder: hint, autocomplete: 'off' }));
  return h('form', { role: 'search', 'data-path': '/jobs' },
    h('label', {}, 'State', h('select', { name: 'state' }, option('', 'any'), states.map(state => option(state)))),
    field('Queue', 'queue', 'text', 'any'),
    field(sight.jobs ? 'Words of the prompt, an id or an error code' : 'An id or an error code', 'search', 'search', null),
    h('button', {}, 'Find'));
}

const columns = () => [['Job', 'number'], ['State'], ...(sight.jobs ? [['Prompt', 'wide']] : []), ['Queue'], ['Model'],
  ['Submitted'], ['Waited', 'number'], ['Ran', 'number']];

function row(job) {
  const note = job.waiting_for ? `waits for ${job.waiting_for}` : job.error_code;
  return { key: job.id, cells: [
    jobLink(job.id),
    [badge(job.state), job.progress != null && job.state === 'running' && [' ', progress(job.progress, `progress of job ${job.id}`)],
      note && h('div', { class: 'faint' }, note)],
    ...(sight.jobs ? [h('span', { class: 'prompt' }, job.prompt)] : []),
    job.queue, job.model ?? '–', moment(job.created),
    duration(job.started && Math.max(0, job.started - Math.max(job.created, job.due))),
    duration(job.started && (job.finished ?? clock()) - job.started),
  ] };
}
