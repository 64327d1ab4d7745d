// The newest pictures, all or those whose prompts have certain words.
import { h } from './elements.js';
import { moment } from './format.js';
import { get } from './server.js';

const pageSize = 60;

export async function gallery(query) {
  const list = await get(`api/gallery?${query}`);
  const older = new URLSearchParams(query), last = list[list.length - 1];
  if (last) older.set('before', `${last.job_id}.${last.index}`);
  const newest = new URLSearchParams(query);
  newest.delete('before');
  return [
    h('h1', { tabindex: -1 }, 'Gallery'),
    h('form', { role: 'search', 'data-path': '/gallery' },
      h('label', {}, 'Words of the prompt', h('input', { name: 'search', type: 'search', value: query.get('search') ?? '', autocomplete: 'off' })),
      h('button', {}, 'Find')),
    list.length > 0 ? tiles(list) : h('div', { class: 'sheet empty' }, query.get('search') ? 'No picture fits.' : 'No pictures yet.'),
    h('nav', { class: 'pages', 'aria-label': 'More pictures' },
      query.get('before') && h('a', { href: `#/gallery?${newest}` }, '← Newest'),
      list.length >= pageSize && h('a', { href: `#/gallery?${older}` }, 'Older →')),
  ];
}

// The file's sum is in the address, so that a picture is fetched once, and again when a retry has made another.
export const tiles = (list, kind = '') => h('ul', { class: `tiles ${kind}` }, list.map(image => {
  const key = `${image.job_id}/${image.index}`;
  return h('li', { 'data-key': `${key} ${image.version}` }, h('a', { href: `#/job/${image.job_id}` },
    h('img', { src: `pictures/${key}?v=${image.version}`, loading: 'lazy', width: image.width, height: image.height,
      alt: image.prompt || 'a picture without a prompt' }),
    // The picture's own words have said the prompt to who cannot see it.
    h('p', { 'aria-hidden': 'true' }, image.prompt),
    h('p', { class: 'faint' }, `Job ${image.job_id}, `, moment(image.at))));
}));
