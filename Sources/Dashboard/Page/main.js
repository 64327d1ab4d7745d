// Which page is shown, and how it stays up to date.
import { listenForActions } from './actions.js';
import { h, patch } from './elements.js';
import { setClock } from './format.js';
import { gallery } from './gallery.js';
import { isOver, job } from './job.js';
import { jobs } from './jobs.js';
import { overview } from './overview.js';
import { get, listen, look, sight } from './server.js';

const main = document.getElementById('main');
const live = document.getElementById('live');
// What the server has told.
const news = { now: null, hour: null, pictures: null };
// The number of the latest rendering: an answer that comes after the next question is dropped.
let rendering = 0;
// How many wait for their answers. News do not begin another: on a slow line each would drop the one before, and none would be shown.
let waiting = 0;

function place() {
  const [path, query] = (location.hash.slice(1) || '/').split('?');
  return { path, query: new URLSearchParams(query) };
}

async function content({ path, query }) {
  if (!sight.migrated) return [h('p', { class: 'error', role: 'alert' }, 'This database has no Tintype schema: run tintype migrate.')];
  try {
    if (path === '/jobs') return await jobs(query);
    if (path === '/gallery') return await gallery(query);
    if (path.startsWith('/job/')) return await job(path.slice(5));
    return overview(news);
  } catch (error) {
    return [h('h1', { tabindex: -1 }, 'That did not work'), h('p', { class: 'error', role: 'alert' }, error.message)];
  }
}

// Shows where the address says we are. A change of place moves the focus to its heading, as a page load would.
async function show(isArrival) {
  const mine = ++rendering, here = place();
  waiting++;
  const nodes = await content(here);
  waiting--;
  if (mine !== rendering) return;
  for (const link of document.querySelectorAll('header nav a')) {
    const path = link.hash.slice(1), isHere = path === here.path || (path === '/jobs' && here.path.startsWith('/job/'));
    if (isHere) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
  if (isArrival) main.replaceChildren();
  patch(main, nodes);
  document.title = `${main.querySelector('h1')?.textContent ?? 'Overview'} · Tintype`;
  if (isArrival) {
    window.scrollTo(0, 0);
    main.querySelector('h1')?.focus({ preventScroll: true });
  }
}

// Fetches again what may have changed, unless nobody looks, or somebody types.
function refresh(turn) {
  const { path, query } = place();
  if (waiting > 0) return;
  if (document.hidden || main.contains(document.activeElement) && document.activeElement.matches('input, select')) return;
  if (path === '/') return show();
  if (path === '/jobs' && !query.has('before') && turn % 3 === 0) return show();
  if (path === '/gallery' && !query.has('before') && turn % 5 === 0) return show();
  if (path.startsWith('/job/') && !isOver()) return show();
}

function say(text, state) {
  // The same words again would be read aloud again.
  if (live.textContent !== text) live.textContent = text;
  live.dataset.state = state;
}

let turn = 0;
async function heard(name, value) {
  if (name === 'trouble') return say(value.message, 'off');
  news[name] = value;
  if (name === 'now') {
    setClock(value.now);
    say('live', 'on');
    return refresh(turn++);
  }
  if (place().path !== '/' || document.hidden) return;
  await lookAtPictures();
  refresh(0);
}

async function lookAtPictures() {
  if (sight.pictures) news.pictures = await get('api/gallery?limit=8').catch(() => news.pictures);
}

// Where somebody arrives at the overview, pictures follow when they are there.
async function go() {
  await show(true);
  if (place().path !== '/') return;
  await lookAtPictures();
  refresh(0);
}

// After the dashboard has been started again it may see more, or less.
async function arrive() {
  await look().catch(() => {});
  document.getElementById('gallery-link').hidden = !sight.pictures;
}

await arrive();
let isLost = false;
listen(async (name, value) => {
  if (isLost) await arrive();
  isLost = false;
  heard(name, value);
}, () => {
  isLost = true;
  say('connection lost, trying again', 'off');
});
listenForActions(() => show());
addEventListener('hashchange', go);
addEventListener('visibilitychange', () => refresh(0));
addEventListener('submit', event => {
  const path = event.target.dataset.path;
  if (!path) return;
  event.preventDefault();
  const address = `#${path}?${new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value))}`;
  if (location.hash === address) show(); else location.hash = address;
});
addEventListener('change', event => { if (event.target.matches('form[data-path] select')) event.target.form.requestSubmit(); });
show();
