// Numbers, lengths of time, moments and states, as people read them.
import { h, s } from './elements.js';

// By how much the database's clock is ahead of the browser's, in seconds: all times shown are the database's.
let ahead = 0;
export const setClock = now => { ahead = now - Date.now() / 1000; };
export const clock = () => Date.now() / 1000 + ahead;

export const number = n => n == null ? '–' : Number(n).toLocaleString();
export const plural = (n, one, many = one + 's') => `${number(n)} ${Number(n) === 1 ? one : many}`;

export function duration(seconds) {
  if (seconds == null) return '–';
  if (seconds < 0.9995) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 59.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

// How long ago, or how long until; the exact time is a pointer's rest away and in the attribute for machines.
export function moment(seconds) {
  if (seconds == null) return '–';
  const date = new Date(seconds * 1000), difference = clock() - seconds;
  return h('time', { datetime: date.toISOString(), title: date.toLocaleString() }, relative(difference) ?? date.toLocaleDateString());
}

function relative(difference) {
  const size = Math.abs(difference);
  const text = size < 60 ? `${Math.round(size)} s` : size < 3600 ? `${Math.floor(size / 60)} min`
    : size < 86400 ? `${Math.floor(size / 3600)} h` : size < 7 * 86400 ? `${Math.floor(size / 86400)} d` : null;
  if (text == null) return null;
  if (size < 1) return 'just now';
  return difference < 0 ? `in ${text}` : `${text} ago`;
}

export const exact = seconds => {
  if (seconds == null) return null;
  const date = new Date(seconds * 1000);
  return h('time', { datetime: date.toISOString() }, date.toLocaleString());
};

// A state is always a word; the colour only repeats it.
export const badge = state => h('span', { class: `badge ${state}` }, state);

export const progress = (share, label) =>
  share == null ? '–' : h('progress', { max: 1, value: share, 'aria-label': label }, `${Math.round(share * 100)} %`);

export const share = (part, whole) =>
  s('svg', { class: 'share', viewBox: '0 0 100 1', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('rect', { width: Math.max(0.5, part / whole * 100), height: 1 }));

export const jobLink = id => id == null ? '–' : h('a', { href: `#/job/${id}` }, id);

// Columns are [title, kind]: a number stands to the right, a tight one is not broken, a wide one takes what is left. On a phone each row is a card, and a cell
// says its column's title itself; the roles are spelled out because a table that is laid out as blocks is none to a screen reader. A `small` table stays one.
export function table(label, columns, rows, empty, kind = 'cards') {
  if (rows.length === 0) return h('div', { class: 'sheet empty' }, empty);
  // What has nothing to say takes no line on a phone.
  const cell = (content, [title, kind = '']) =>
    h('td', { role: 'cell', class: content === '–' ? `${kind} nothing` : kind, 'data-label': title }, h('div', {}, content));
  return h('div', { class: 'sheet scroll', role: 'region', 'aria-label': label, tabindex: 0 },
    h('table', { role: 'table', 'aria-label': label, class: kind },
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' },
        columns.map(([title, kind]) => h('th', { role: 'columnheader', scope: 'col', class: kind }, title)))),
      h('tbody', { role: 'rowgroup' }, rows.map(({ key, cells }) =>
        h('tr', { role: 'row', 'data-key': key }, cells.map((content, i) => cell(content, columns[i])))))));
}

// Terms and what they are, without those that have nothing to say.
export const terms = pairs => h('dl', {}, pairs.filter(([, value]) => value != null && value !== '' && value !== false)
  .map(([term, value]) => h('div', { 'data-key': term }, h('dt', {}, term), h('dd', {}, value))));
