// The visit log, as an owner's page has it. No document and no clock.
import { reasonOf } from './people.js';

/** Asks for the log each time that its page opens, on each new socket, and when people come or go meanwhile. */
export class Visits {
  #open = false;
  #watched = false;
  #asked = false;
  #list = null;
  #erase = false;
  #erasing = false;
  #wrong = null;

  /** Its page opens or closes. */
  watch(watched) {
    if (this.#watched === watched) return;
    this.#watched = watched;
    this.#asked = false;
    this.#wrong = null;
    // What somebody sees next must not be of an hour ago.
    if (!watched) this.#list = null;
  }

  /** The socket is gone, and perhaps with it what was said. Who wants the log erased sees whether it is. */
  lost() {
    this.#open = this.#erase = this.#erasing = false;
  }

  /** Takes what home says; false if others read it, too. */
  hear(message) {
    switch (message.type) {
      case 'welcome':
        this.#open = true;
        this.#asked = false;
        return false;
      case 'people':
        this.#asked = false;
        return false;
      case 'visits':
        if (!Array.isArray(message.visits)) return true;
        this.#erasing = false;
        if (this.#watched) this.#list = message.visits;
        return true;
      case 'not_done':
        if (message.about !== 'erase_visits') return false;
        this.#erasing = false;
        this.#wrong = reasonOf(message);
        return true;
      default:
        return false;
    }
  }

  /** Forgets the log. Only while home hears it. */
  erase() {
    this.#wrong = this.#open ? null : 'lost';
    if (this.#open) this.#erase = this.#erasing = true;
  }

  /** What to tell home now, each once. */
  due() {
    if (!this.#open || !this.#watched) return [];
    const messages = [];
    if (this.#erase) messages.push({ type: 'erase_visits' });
    else if (!this.#asked) messages.push({ type: 'visits' });
    this.#erase = false;
    this.#asked = true;
    return messages;
  }

  /** The newest first; null before home has said. */
  get list() {
    return this.#list;
  }

  /** Whether home is being asked to forget it; and why it has not, or null. */
  get erasing() {
    return this.#erasing;
  }
  get wrong() {
    return this.#wrong;
  }
}
