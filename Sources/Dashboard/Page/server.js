// What the page asks the server, and what the server tells by itself.

// What this visitor may see and do.
export let sight = { jobs: false, pictures: false, actions: false, migrated: true };
export async function look() { sight = await get('api/sight'); }

export async function get(path) {
  const answer = await fetch(path).catch(() => { throw new Error('the dashboard does not answer'); });
  if (!answer.ok) throw new Error(await complaint(answer));
  return answer.json();
}

// Sends an action with the token in a header, which a page from elsewhere cannot make a browser add.
export const post = (path, token) => fetch(path, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });

export async function complaint(answer) {
  const body = await answer.json().catch(() => null);
  return body?.error?.message ?? `the server answered ${answer.status}`;
}

// The server speaks every two seconds; longer than this means that the line is dead, whatever the browser believes.
const silence = 15000;

// Calls `heard` with the name and the value of each event, `lost` when there is no line. Goes on for ever: a browser tries again by
// itself after a broken connection, but not after an answer that is no stream of events, such as a proxy's.
export function listen(heard, lost) {
  let last = Date.now(), source;
  const open = () => {
    source?.close();
    source = new EventSource('events');
    last = Date.now();
    for (const name of ['now', 'hour', 'trouble']) {
      source.addEventListener(name, event => {
        last = Date.now();
        heard(name, JSON.parse(event.data));
      });
    }
    source.onerror = () => lost();
  };
  open();
  setInterval(() => {
    const isDead = Date.now() - last > silence;
    if (isDead) lost();
    if (isDead || source.readyState === EventSource.CLOSED) open();
  }, 3000);
}
