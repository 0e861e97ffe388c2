// What this page goes in with: the key of this device, a key that is only tried, or a code that is exchanged for one.
import { brief, keepCode, keepKey, keyFailed, keyFromPaste, keyInAddress, keyWorks, takeCode, takeKey, tokenFromPaste, tryKey } from './first.js';
import { hello, pair } from './greeting.js';

export class Entry {
  #key = null;
  // Read off home's TV or out of a link.
  #code = null;

  /** Takes what the address and this device have, and says whether that is anything. */
  take() {
    // A link with a key counts more than a code from before.
    if (keyInAddress()) brief.remove('intercom.code');
    this.#code = takeCode();
    this.#key = takeKey();
    return Boolean(this.#key || this.#code);
  }

  /** Keeps what a person pasted for the next `take`; says whether there is a key in it. */
  paste(text) {
    const key = keyFromPaste(text);
    const token = tokenFromPaste(text);
    if (key) tryKey(key);
    else if (token) keepCode(token);
    return Boolean(key || token);
  }

  /** The key at hand, or null. */
  get key() {
    return this.#key;
  }

  /** The first message where a code comes before all else, or null. */
  get pairing() {
    return this.#code && pair(this.#code);
  }

  /** The first message with the key. `session` names a visit to go on with, or is null. */
  hello(session) {
    return hello(this.#key, session);
  }

  /** Home gives `key` for the code, which is used up; false if no code was waiting. */
  paired(key) {
    if (!this.#code) return false;
    brief.remove('intercom.code');
    this.#code = null;
    keepKey(key);
    this.#key = key;
    return true;
  }

  /** Home has welcomed the key. */
  works() {
    keyWorks(this.#key);
  }

  /** Home does not know it. Null if this device has another key to go in with; else what is wrong: 'wrong-key' or 'code'. */
  failed() {
    if (this.#code) {
      brief.remove('intercom.code');
      this.#code = null;
      return this.#key ? null : 'code';
    }
    // A link that does not open home takes nothing away from a device that was here before.
    const other = keyFailed(this.#key);
    if (!other) return 'wrong-key';
    this.#key = other;
    return null;
  }
}
