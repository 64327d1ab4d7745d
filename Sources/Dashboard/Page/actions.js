// Cancel, retry, pause, resume: a button, a question, the token.
import { h } from './elements.js';
import { complaint, post, sight } from './server.js';

// Buttons carry what they do as data, so that a page brought up to date need not carry handlers over.
export const button = (label, path, question, asksReason = false) => sight.actions &&
  h('button', { type: 'button', 'data-action': path, 'data-question': question, 'data-reason': asksReason }, label);

// Asks when a button is pressed; `done` after it has happened.
export function listenForActions(done) {
  document.addEventListener('click', event => {
    const pressed = event.target.closest('[data-action]');
    if (pressed) ask(pressed, done);
  });
}

function ask(pressed, done) {
  const { action, question } = pressed.dataset;
  const token = h('input', { type: 'password', required: true, autocomplete: 'off', value: sessionStorage.token });
  const reason = pressed.hasAttribute('data-reason') && h('input', { maxlength: 200, autocomplete: 'off' });
  const error = h('p', { class: 'error', role: 'alert' });
  const dialog = h('dialog', { 'aria-labelledby': 'question' },
    h('form', { method: 'dialog' },
      h('h2', { id: 'question' }, question),
      reason && h('label', {}, 'Why, for whoever wonders', reason),
      // It is asked for once a tab, and again when it was wrong.
      h('label', { hidden: Boolean(sessionStorage.token) }, 'The token that the dashboard was started with', token),
      error,
      h('div', { class: 'buttons' },
        h('button', { type: 'submit', class: 'main' }, pressed.textContent), h('button', { type: 'button', value: 'no' }, 'Leave it'))));
  dialog.addEventListener('close', () => { dialog.remove(); pressed.focus(); });
  dialog.querySelector('[value=no]').addEventListener('click', () => dialog.close());
  dialog.addEventListener('submit', async event => {
    event.preventDefault();
    const given = reason && reason.value ? `?reason=${encodeURIComponent(reason.value)}` : '';
    const answer = await post(action + given, token.value).catch(() => null);
    if (answer?.ok) {
      sessionStorage.token = token.value;
      dialog.close();
      return done();
    }
    if (answer?.status === 401) {
      sessionStorage.removeItem('token');
      token.closest('label').hidden = false;
      token.value = '';
      token.focus();
    }
    error.textContent = answer ? await complaint(answer) : 'the dashboard does not answer';
  });
  document.body.append(dialog);
  dialog.showModal();
}
