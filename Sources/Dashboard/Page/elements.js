// Elements from descriptions, and a document that is brought up to date without being torn down.

// Every text goes in as text, never as markup: a prompt may hold anything.
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

// The same for SVG, whose elements have a namespace of their own.
export const s = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value != null && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...nodes(children));
  return element;
}

// What is there of a nested list of nodes, texts, numbers and nothings.
const nodes = children =>
  children.flat(Infinity).filter(child => child != null && child !== false)
    .map(child => child.nodeType ? child : document.createTextNode(child));

// Makes the children of an element like the given ones, and leaves alone what is the same already: replacing it all every two seconds
// would take the focus, the selection and the place in a scrolled table from whoever is at work. Children that come and go in a list
// carry `data-key`, so that one is not taken for its neighbour.
export function patch(element, children) {
  const wanted = nodes(children);
  const kept = new Set(wanted.map(keyOf));
  const keyed = new Map();
  for (const child of [...element.childNodes]) {
    const key = keyOf(child);
    if (key == null) continue;
    if (kept.has(key)) keyed.set(key, child); else child.remove();
  }
  let next = element.firstChild;
  for (const child of wanted) {
    const key = keyOf(child);
    const old = key == null ? next : keyed.get(key);
    if (!old || !isAlike(old, child)) {
      element.insertBefore(child, next);
    } else {
      if (old === next) next = next.nextSibling; else element.insertBefore(old, next);
      update(old, child);
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

const keyOf = node => node.dataset?.key;
const isAlike = (a, b) => a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function update(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  patch(old, [...wanted.childNodes]);
}
