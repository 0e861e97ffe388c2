// Why home's picture is less sharp than it could be: which connection is most likely the narrow one, or that this device saves data. No clock
// and no document.

// What Chromium says of a network that it has not measured is half of this at most.
const MEASURED_MBPS = 5;
// So many times what comes from home is clearly more.
const FASTER = 3;

/**
 * Whose connection is most likely the narrow one, 'home', 'mine' or 'path', or null, by home's word of it. What home cannot tell the browser may know
 * (NetworkInformation): it has seen other ways than the one to home. What came from home itself, such as this page, came the same way.
 */
export function narrowSide({ by, kbps }, browser) {
  switch (by ?? null) {
    case null:
      return null;
    case 'home':
      return 'home';
    case 'viewer':
      return 'mine';
    case 'between': {
      const { effectiveType, downlink } = browser ?? {};
      if (effectiveType === 'slow-2g' || effectiveType === '2g') return 'mine';
      return kbps > 0 && downlink >= MEASURED_MBPS && downlink * 1000 >= FASTER * kbps ? 'home' : 'path';
    }
    default:
      return 'path';
  }
}

/** Which sentence says it: what was read and closed is not said again until something else holds. */
export class LimitLine {
  #why = null;
  #read = null;

  /** The end of the sentence's key, or null. `seen`: there is a picture that it could be about. */
  step({ seen, saves, narrow }) {
    if (!seen) return null;
    this.#why = saves ? 'saving' : narrow;
    if (this.#why !== this.#read) this.#read = null;
    return this.#read ? null : this.#why;
  }

  /** The person has closed it. */
  close() {
    this.#read = this.#why;
  }
}
