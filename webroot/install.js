// Offers to put home on the home screen: with the browser's own question where it has one, on an iPhone with words how. It comes last.
import { kept } from './first.js';
import { lines } from './lines.js';
import { Offer } from './offer.js';
import { visit } from './visit.js';
import { browserKind, say } from './words.js';

const LOOK_MS = 5000;

class Install {
  #offer = new Offer(kept);
  // The browser's question, which waits for a click.
  #question = null;
  #shown = false;
  #copied = false;
  #timer = setInterval(() => this.#look(), LOOK_MS);

  begin() {
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#question = event;
    });
    addEventListener('appinstalled', () => this.#done());
    addEventListener('reworded', () => this.#shown && this.#show());
  }

  /** Safari has no such question, and says so only on an iPhone or iPad. */
  get #byHand() {
    return navigator.standalone === false && browserKind(navigator.userAgent, navigator.maxTouchPoints) === 'ios-safari';
  }

  #look() {
    const { state, entry } = visit.view();
    const installed = matchMedia('(display-mode: standalone), (display-mode: fullscreen)').matches && !document.fullscreenElement;
    const busy = document.visibilityState !== 'visible' || document.querySelector('dialog[open], .sheet:not([hidden]), .knock, .line') !== null;
    const seen = { live: state === 'live' && entry === 'inside', able: !installed && (this.#question !== null || this.#byHand), busy };
    if (this.#shown || !this.#offer.step(seen, performance.now(), Date.now() / 1000)) return;
    this.#shown = true;
    this.#show();
  }

  #show() {
    const words = this.#byHand ? 'install.by-hand' : 'install.text';
    const button = this.#byHand ? (this.#copied ? 'link.copied' : 'install.copy') : 'install.add';
    lines.show('install', say(words), () => this.#done(), { words: say(button), act: () => this.#act() });
  }

  #act() {
    if (this.#byHand) return this.#copy();
    this.#question.prompt();
    this.#done();
  }

  /** On an iPhone the icon does not know what Safari has kept, and asks for the link. */
  async #copy() {
    try {
      await navigator.clipboard.writeText(`${location.origin}/#k=${kept.get('intercom.key')}`);
      this.#copied = true;
      this.#show();
    } catch (error) {
      console.warn('intercom: the link is not copied:', error);
    }
  }

  #done() {
    clearInterval(this.#timer);
    this.#shown = false;
    this.#offer.answered();
    lines.show('install', null);
  }
}

new Install().begin();
