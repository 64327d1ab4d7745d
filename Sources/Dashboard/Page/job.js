// One job: its pictures, what was asked, when what happened, and each attempt.
import { button } from './actions.js';
import { h } from './elements.js';
import { badge, clock, duration, exact, number, plural, progress, share, terms } from './format.js';
import { get, sight } from './server.js';

export async function job(id) {
  const { job, request, attempts, images } = await get(`api/jobs/${encodeURIComponent(id)}`);
  const shown = sight.pictures && images?.length > 0;
  return [
    h('p', { class: 'crumb' }, h('a', { href: '#/jobs' }, 'Jobs'), ' / ', String(job.id)),
    h('h1', { tabindex: -1 }, `Job ${job.id} `, badge(job.state)),
    request && h('p', { class: 'lead' }, request.prompt),
    state(job, request),
    sight.actions && h('p', { class: 'buttons' },
      !job.finished && button('Cancel', `api/jobs/${id}/cancel`, `Cancel job ${id}?`),
      ['failed', 'cancelled'].includes(job.state) && button('Retry', `api/jobs/${id}/retry`, `Try job ${id} again, with all its attempts?`)),
    h('div', { class: shown ? 'columns' : '' },
      shown && h('div', { class: 'pictures' }, images.map(image => picture(id, image, request))),
      h('div', {}, h('h2', {}, 'Request'), asked(job, request), h('h2', {}, 'Times'), times(job),
        h('p', { class: 'faint' }, h('a', { href: `api/jobs/${id}` }, 'All of it as JSON')))),
    attempts && h('section', {}, h('h2', {}, 'Attempts'),
      attempts.length > 0 ? attempts.map(attempt) : h('p', { class: 'faint' }, 'None yet.')),
  ];
}

// Whether the page is worth asking for again.
export const isOver = () => Boolean(document.querySelector('#main h1 :is(.succeeded, .failed, .cancelled)'));

function state(job, request) {
  if (job.state === 'running') {
    return h('p', {}, progress(job.progress, 'progress'), ` ${job.phase ?? 'starting'}${job.step ? ` ${job.step}` : ''}`);
  }
  if (job.waiting_for) return h('p', {}, `Waits for ${job.waiting_for}.`);
  return job.error_code && h('p', { class: 'error' }, h('code', {}, job.error_code), request?.error ? ` ${request.error}` : '');
}

function picture(id, image, request) {
  const address = `pictures/${id}/${image.index}?v=${image.sha256.slice(0, 12)}`;
  return h('figure', { 'data-key': image.index },
    h('a', { href: address }, h('img', { src: address, width: image.width, height: image.height,
      alt: `Picture ${image.index} of job ${id}: ${request.prompt}` })),
    h('figcaption', {}, `${image.width} × ${image.height}, seed ${image.seed}, ${number(image.bytes)} bytes`,
      h('div', {}, h('code', {}, image.path)), h('div', {}, 'SHA-256 ', h('code', {}, image.sha256))));
}

const asked = (job, request) => terms([
  ['Negative prompt', request?.negative_prompt], ['Model', job.model ?? 'the worker’s default'],
  ['Size', job.width ? `${job.width} × ${job.height}` : 'the model’s own'], ['Steps', job.steps], ['Guidance', job.guidance_scale],
  ['Strength', job.strength], ['Seed', job.seed_text], ['Pictures', job.image_count],
  ['Starts from', job.init_job ? h('a', { href: `#/job/${job.init_job}` }, `job ${job.init_job}`) : request?.init_image],
  ['Queue', h('a', { href: `#/jobs?queue=${encodeURIComponent(job.queue)}` }, job.queue)], ['Priority', job.priority],
  ['Submitted by', job.submitted_by], ['Idempotency key', request?.idempotency_key],
  ['Metadata', request && Object.keys(request.metadata).length > 0 && h('pre', {}, JSON.stringify(request.metadata, null, 2))],
  ['Warnings', (request?.warnings ?? []).join('\n')],
]);

const times = job => terms([
  ['Submitted', exact(job.created)], ['Due', job.due > job.created && exact(job.due)],
  ['Started', job.started && [exact(job.started), h('span', { class: 'faint' }, ` after ${duration(Math.max(0, job.started - Math.max(job.due, job.created)))}`)]],
  ['Finished', job.finished && exact(job.finished)], ['Ran', job.started && duration((job.finished ?? clock()) - job.started)],
  ['Attempts', `${number(job.failures)} failed and ${number(job.losses)} lost, at most ${number(job.max_attempts)}`],
]);

function attempt(attempt) {
  return h('div', { class: 'sheet attempt', 'data-key': attempt.id },
    h('p', {}, h('b', {}, `Attempt ${attempt.number} `), badge(attempt.outcome ?? 'running'), ' ',
      h('span', { class: 'faint' }, `by ${attempt.worker ?? `worker ${attempt.worker_id}`}, number ${attempt.id} of all, `,
        exact(attempt.started), attempt.finished ? `, ${duration(attempt.finished - attempt.started)}` : '')),
    attempt.error_code && h('p', { class: 'error' }, h('code', {}, attempt.error_code), attempt.error ? ` ${attempt.error}` : ''),
    attempt.timings && timings(attempt.timings));
}

// In the order of their weight: what took longest is what one asks.
function timings(timings) {
  const parts = Object.entries(timings).sort((a, b) => b[1] - a[1]), most = Math.max(...parts.map(part => part[1]), 1e-9);
  return h('dl', { class: 'timings', 'aria-label': plural(parts.length, 'timing') }, parts.map(([name, seconds]) =>
    h('div', { 'data-key': name }, h('dt', {}, name), h('dd', {}, share(seconds, most), h('span', {}, duration(seconds))))));
}
