// Jobs finished, minute by minute, stacked by how they ended.
import { h, s } from './elements.js';
import { number } from './format.js';

const kinds = ['succeeded', 'failed', 'cancelled'];

// `until` is the minute that is under way; the hour before it is shown.
export function chart(minutes, until) {
  const total = kind => minutes.reduce((sum, minute) => sum + Number(minute[kind]), 0);
  const most = Math.max(1, ...minutes.map(minute => kinds.reduce((sum, kind) => sum + Number(minute[kind]), 0)));
  return h('figure', { class: 'sheet chart' },
    h('figcaption', {}, 'Jobs finished a minute',
      h('span', { class: 'legend' }, kinds.map(kind => h('span', { class: kind }, `${number(total(kind))} ${kind}`)))),
    h('div', { class: 'plot' },
      h('span', { class: 'most', 'aria-hidden': 'true' }, number(most)),
      s('svg', { viewBox: '0 0 610 100', preserveAspectRatio: 'none', role: 'img',
        'aria-label': `Jobs finished by minute over the last hour: ${kinds.map(kind => `${total(kind)} ${kind}`).join(', ')}; at most ${most} in a minute` },
      [0, 50].map(y => s('line', { x1: 0, x2: 610, y1: y, y2: y })),
      minutes.map(minute => bar(minute, 600 - (until - minute.minute) / 6, most)))),
    h('div', { class: 'axis', 'aria-hidden': 'true' }, ['60 min ago', '45', '30', '15', 'now'].map(label => h('span', {}, label))));
}

function bar(minute, x, most) {
  const time = new Date(minute.minute * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  let y = 100;
  const boxes = kinds.map(kind => {
    const height = Number(minute[kind]) / most * 100;
    y -= height;
    return height > 0 && s('rect', { class: kind, x, y, width: 8, height });
  });
  const words = kinds.filter(kind => Number(minute[kind]) > 0).map(kind => `${minute[kind]} ${kind}`);
  return s('g', { 'data-key': minute.minute }, s('title', {}, `${time}: ${words.join(', ')}`), boxes);
}
