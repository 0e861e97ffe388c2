// Single pictures of home over the signaling socket, for a browser that cannot show its video. Each is asked for, so that none waits
// behind another.

const SOONEST_MS = 1000;
const LATEST_MS = 20000;
// How many times as long as a picture took the path is left to the sound.
const REST = 4;
const LOST_MS = 10000;
// What is older says nothing of home as it is now.
const STALE_MS = 30000;

/** Decides when to ask for a snapshot, and keeps the newest. */
export class Snapshots {
  #askedAt = null;
  #nextAt = 0;
  #newest = null;

  /** Whether to ask for one now: the connection has sound only, runs, and home can be asked. */
  step({ soundOnly, media, signaling, visible }, now) {
    if (!soundOnly) this.#newest = null;
    if (!soundOnly || media !== 'connected' || !signaling || !visible) {
      this.#askedAt = null;
      return false;
    }
    if (now < this.#nextAt || (this.#askedAt !== null && now - this.#askedAt < LOST_MS)) return false;
    this.#askedAt = now;
    return true;
  }

  /** One came: a JPEG in base64. */
  came(jpeg, now) {
    const took = this.#askedAt === null ? 0 : now - this.#askedAt;
    this.#askedAt = null;
    this.#nextAt = now + Math.min(Math.max(took * REST, SOONEST_MS), LATEST_MS);
    this.#newest = { url: `data:image/jpeg;base64,${jpeg}`, at: now };
  }

  /** The address of the newest, or null if there is none that counts. */
  shown(now) {
    return this.#newest && now - this.#newest.at < STALE_MS ? this.#newest.url : null;
  }
}
