// When the page offers to put home on the home screen. No document and no clock: `now` in ms, `seconds` since 1970.

const VISITS = 'intercom.visits';
const ANSWER = 'intercom.install';

/** Counts the visits of this device, and knows whether its person has answered. `memory` has `get` and `set`. */
export class Offer {
  /** A visit counts, and nothing is offered, before home has been seen for so long. */
  static AFTER_MS = 30000;
  /** So many visits come first. */
  static VISITS = 2;
  /** A page that is loaded again so soon is the same visit. */
  static SAME_S = 600;

  #memory;
  #since = null;
  #before = null;

  constructor(memory) {
    this.#memory = memory;
  }

  /** Whether to offer it now. `live`: home is seen, `able`: this browser can do it, `busy`: something else is to be answered or read. */
  step({ live, able, busy }, now, seconds) {
    if (!live) {
      this.#since = null;
      return false;
    }
    this.#since ??= now;
    if (now - this.#since < Offer.AFTER_MS) return false;
    this.#before ??= this.#count(seconds);
    return able && !busy && this.#before >= Offer.VISITS && this.#memory.get(ANSWER) === null;
  }

  /** The person has answered, whatever it was: it is not offered again. */
  answered() {
    this.#memory.set(ANSWER, 'answered');
  }

  /** Counts this visit; how many there were before. */
  #count(seconds) {
    const [visits, last] = (this.#memory.get(VISITS) ?? '').split(' ').map(Number);
    const known = visits >= 1 ? visits : 0;
    const before = known && Math.abs(seconds - last) < Offer.SAME_S ? known - 1 : known;
    this.#memory.set(VISITS, `${before + 1} ${Math.round(seconds)}`);
    return before;
  }
}
