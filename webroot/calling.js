// Home's calls and quiet hours in the document: the sheet "Home is calling" with its ring, and lines that stay. It comes behind the call.
import { Calls } from './calls.js';
import { missedWords } from './callwords.js';
import { putWords } from './languages.js';
import { lines } from './lines.js';
import { Ring } from './ring.js';
import { callTitle } from './title.js';
import { visit } from './visit.js';
import { momentWords } from './when.js';
import { locale, say } from './words.js';

const clock = () => performance.now();
const by = (id) => document.getElementById(id);

class Calling {
  #calls = new Calls();
  #ring = new Ring();
  #sheet = by('calling');
  #timer = 0;
  #quietTimer = 0;

  begin() {
    // The language may have come before this part of the document.
    putWords(say, undefined, this.#sheet);
    visit.mail.everybody.open((message) => {
      if (this.#calls.hear(message, clock())) this.#show();
    });
    visit.addEventListener('change', () => this.#show());
    document.addEventListener('visibilitychange', () => this.#show());
    addEventListener('reworded', () => this.#show());
    addEventListener('pointerup', () => this.#ring.allow());
    by('call-answer').addEventListener('click', () => this.#answer());
    by('call-quiet').addEventListener('click', () => this.#silence());
    // Left to the browser, that key would close the page about people below, too.
    this.#sheet.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      this.#silence();
    });
    // The button of a phone that goes back.
    this.#sheet.addEventListener('close', () => this.#calls.left(clock()) && !this.#sheet.open && this.#silence());
    this.#show();
  }

  #silence() {
    this.#calls.silence();
    this.#show();
  }

  #answer() {
    this.#calls.answer();
    this.#show();
    // This click is the one that the browser waits for before it plays sound.
    dispatchEvent(new Event('answered'));
  }

  #show() {
    clearTimeout(this.#timer);
    const { ended, home } = visit.view();
    if (ended) this.#calls.end();
    const now = clock();
    for (const message of this.#calls.due(now)) visit.say(message);
    const left = this.#calls.left(now);
    if (left) {
      this.#ring.start(left);
      this.#timer = setTimeout(() => this.#show(), left + 20);
    } else this.#ring.stop();
    this.#showSheet(left > 0, home);
    callTitle('call', left && document.visibilityState === 'hidden' ? say('call.title') : null);
    this.#showLines();
  }

  #showSheet(rings, home) {
    by('calling-home').hidden = !home;
    if (home && by('calling-home').textContent !== home) by('calling-home').textContent = home;
    if (rings === this.#sheet.hasAttribute('open')) return;
    // A browser without dialogs shows it, too.
    if (typeof this.#sheet.showModal !== 'function') this.#sheet.toggleAttribute('open', rings);
    else if (rings) this.#sheet.showModal();
    else this.#sheet.close();
  }

  #showLines() {
    clearTimeout(this.#quietTimer);
    const now = Date.now();
    const { missed } = this.#calls;
    lines.show('missed', missed && missedWords(missed, now), () => this.#calls.readMissed());
    const until = this.#calls.quiet(now / 1000);
    lines.show('quiet', until && say('line.quiet', { time: momentWords(until, now, locale()) }), () => this.#calls.readQuiet());
    if (until) this.#quietTimer = setTimeout(() => this.#show(), Math.min(until * 1000 - now + 1000, 3600000));
  }
}

new Calling().begin();
