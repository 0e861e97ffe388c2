// Single pictures of home over the signaling socket, for a browser that cannot show its video. Each is asked for, so that none waits
// behind another.

const SOONEST_MS = 1000;
// How many times as long as a picture took the path is left to the sound.
const REST = 4;
// One that has not come by then is more than the path carries, as is one over which the socket dies: pings wait behind it.
const LOST_MS = 20000;
const LONGEST_MS = 300000;
// What is older says nothing of home as it is now.
const STALE_MS = 60000;

/** Decides when to ask for a snapshot, and keeps the newest. */
export class Snapshots {
  #askedAt = null;
  #nextAt = 0;
  #newest = null;
  #failures = 0;

  /** Whether to ask for one now: the connection has sound only, runs, and home can be asked. */
  step({ soundOnly, media, signaling, visible }, now) {
    if (!soundOnly) this.#newest = null;
    if (this.#askedAt !== null && (!signaling || now - this.#askedAt >= LOST_MS)) this.#fail(now);
    const able = soundOnly && media === 'connected' && signaling && visible;
    if (!able || this.#askedAt !== null || now < this.#nextAt) return false;
    this.#askedAt = now;
    return true;
  }

  /** One came: a JPEG in base64. */
  came(jpeg, now) {
    this.#newest = { url: `data:image/jpeg;base64,${jpeg}`, at: now };
    // Of one that was given up it is not known how long it took.
    if (this.#askedAt === null) return;
    const rest = Math.max((now - this.#askedAt) * REST, SOONEST_MS);
    this.#nextAt = now + rest;
    this.#askedAt = null;
    this.#failures = 0;
  }

  #fail(now) {
    this.#askedAt = null;
    this.#nextAt = now + Math.min(LOST_MS * REST * 2 ** this.#failures, LONGEST_MS);
    this.#failures += 1;
  }

  /** The address of the newest, or null if there is none that counts. */
  shown(now) {
    return this.#newest && now - this.#newest.at < STALE_MS ? this.#newest.url : null;
  }
}
