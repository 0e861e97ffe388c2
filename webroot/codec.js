// H.264 that comes late: some browsers fetch it only a while after their start. Until then there is sound alone.
import { codecPause, hasH264 } from './policy.js';

// A connection costs the sound a moment: where home found no use for one's H.264 so often, no further one is built for it.
const MOST_BUILT = 3;

/** Looks whether a browser whose last connection has sound only can show home by now. */
export class LateCodec {
  #looks = 0;
  #built = 0;
  #due = null;
  #looking = false;

  /** Whether it has been looked for so long that the person is to know that it may stay so. */
  get isLate() {
    return codecPause(this.#looks).late;
  }

  /** The connection at hand has a picture, or there is none. */
  reset() {
    this.#looks = 0;
    this.#built = 0;
    this.#due = null;
  }

  /** The connection at hand has sound only. Calls `come` once the browser has H.264; it says whether it builds a connection for it. */
  step(now, come) {
    this.#due ??= now + codecPause(this.#looks).pause;
    if (now < this.#due || this.#looking || this.#built >= MOST_BUILT) return;
    this.#looking = true;
    offersH264().then((found) => {
      this.#looking = false;
      this.#due = null;
      const built = found && come();
      if (built) this.#built += 1;
      // What could not be used yet is looked for again just as soon.
      if (built || !found) this.#looks += 1;
    });
  }
}

/** Whether an offer would have H.264 now. What a browser says of itself elsewhere may be older than what it offers. */
async function offersH264() {
  let pc = null;
  try {
    pc = new RTCPeerConnection();
    pc.addTransceiver('video', { direction: 'sendrecv' });
    return hasH264((await pc.createOffer()).sdp);
  } catch (error) {
    console.warn('intercom: cannot look for H.264', error);
    return false;
  } finally {
    pc?.close();
  }
}
