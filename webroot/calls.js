// Home's calls and quiet hours, as a viewer inside hears of them. No document and no clock: `now` in ms, moments in seconds since 1970.

/** What home said last, and what of it the person has answered or read. */
export class Calls {
  /** On a new socket home says again at once that it calls. If it does not, the call is over. */
  static AGAIN_WITHIN_MS = 2000;
  /** Home's calls are shorter. */
  static LONGEST_MS = 180000;

  // When the call that rings is over.
  #until = -Infinity;
  #answered = false;
  #said = false;
  #silent = false;
  #missed = null;
  #quiet = null;
  #quietRead = null;

  /** Takes what home says; false if it is about something else. */
  hear(message, now) {
    switch (message.type) {
      case 'welcome':
        this.#until = Math.min(this.#until, now + Calls.AGAIN_WITHIN_MS);
        this.#quiet = null;
        return true;
      case 'call':
        if (this.#until <= now) this.#answered = this.#silent = false;
        // It goes on, so home has not heard the answer.
        this.#said = false;
        this.#until = now + Math.min(moment(message.left_ms) ?? 0, Calls.LONGEST_MS);
        return true;
      case 'call_over':
        this.end();
        return true;
      case 'missed_call':
        this.#missed = moment(message.at);
        return true;
      case 'quiet_hours':
        this.#quiet = moment(message.until);
        return true;
      default:
        return false;
    }
  }

  /** The person is here. */
  answer() {
    this.#answered = true;
  }

  /** The person has heard it, and does not answer. */
  silence() {
    this.#silent = true;
  }

  /** The call is over. */
  end() {
    this.#until = -Infinity;
  }

  /** What to tell home now, each once. */
  due(now) {
    if (!this.#answered || this.#said || this.#until <= now) return [];
    this.#said = true;
    return [{ type: 'answer' }];
  }

  /** For how many ms it still rings; 0 where it does not. */
  left(now) {
    return this.#answered || this.#silent ? 0 : Math.max(0, this.#until - now);
  }

  /** When home called in vain, or null. */
  get missed() {
    return this.#missed;
  }
  readMissed() {
    this.#missed = null;
  }

  /** When the quiet hours end that home has at `seconds`; null if it has none, or the person has read of them. */
  quiet(seconds) {
    return this.#quiet > seconds && this.#quiet !== this.#quietRead ? this.#quiet : null;
  }
  readQuiet() {
    this.#quietRead = this.#quiet;
  }
}

/** A number that home said, or null. */
const moment = (value) => (Number.isFinite(value) && value > 0 ? value : null);
