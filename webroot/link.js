// The key: out of the link into the browser's memory, and out of sight. Also whatever else the page remembers.
import { keyFromHash } from './policy.js';

/** What lasts: 'intercom.key', 'intercom.send'. */
export const kept = memory('localStorage');
/** What ends with the tab: 'intercom.reloaded'. */
export const brief = memory('sessionStorage');

/** A browser may forbid storage; the page then remembers until it is closed. */
function memory(name) {
  const spare = new Map();
  const real = () => globalThis[name];
  return {
    get(key) {
      try {
        return real().getItem(key) ?? spare.get(key) ?? null;
      } catch {
        return spare.get(key) ?? null;
      }
    },
    set(key, value) {
      spare.set(key, value);
      try {
        real().setItem(key, value);
      } catch {
        // Full or forbidden: `spare` has it.
      }
    },
    remove(key) {
      spare.delete(key);
      try {
        real().removeItem(key);
      } catch {
        // Forbidden: there was nothing in it either.
      }
    },
  };
}

/** The key to go in with, or null. A new one in the address replaces the old one and leaves the address. */
export function takeKey() {
  const fresh = keyFromHash(location.hash);
  if (fresh) {
    kept.set('intercom.key', fresh);
    history.replaceState(history.state, '', location.pathname + location.search);
  }
  return kept.get('intercom.key');
}

/** Remembers a key that came another way than by the address. */
export function keepKey(key) {
  kept.set('intercom.key', key);
}
