// Single pictures of home over the signaling socket, for a browser that cannot show its video. Each is asked for, so that none waits
// behind another.

const SOONEST_MS = 1000;
// How many times as long as a picture took the path is left to the sound.
const REST = 4;
// What is older says nothing of home as it is now.
const STALE_MS = 60000;
// One that has not come by then is more than the path carries: it would be stale before the next. So is one over which the socket
// dies: pings wait behind it.
const LOST_MS = STALE_MS / (REST + 1);
const LONGEST_MS = 300000;

/** Decides when to ask for a snapshot, and keeps the newest. */
export class Snapshots {
  #askedAt = null;
  #nextAt = 0;
  #newest = null;
  #failures = 0;
  // Of the one that is asked for the time says nothing: the page slept meanwhile, or home restarts.
  #excused = false;

  /** Whether to ask for one now: the connection has sound only, runs, and home can be asked. */
  step({ soundOnly, media, signaling, visible, restarting = false }, now) {
    if (!soundOnly) this.#newest = null;
    if (!visible || restarting) this.#excused = true;
    if (this.#askedAt !== null && (!signaling || now - this.#askedAt >= LOST_MS)) this.#fail(now);
    const able = soundOnly && media === 'connected' && signaling && visible;
    if (!able || this.#askedAt !== null || now < this.#nextAt) return false;
    this.#askedAt = now;
    this.#excused = false;
    return true;
  }

  /** One came: a JPEG in base64. */
  came(jpeg, now) {
    this.#newest = { url: `data:image/jpeg;base64,${jpeg}`, at: now };
    // Of one that was given up it is not known how long it took.
    if (this.#askedAt === null) return;
    const rest = this.#excused ? 0 : (now - this.#askedAt) * REST;
    this.#nextAt = now + Math.max(rest, SOONEST_MS);
    this.#askedAt = null;
    this.#failures = 0;
  }

  #fail(now) {
    this.#askedAt = null;
    if (this.#excused) return;
    this.#nextAt = now + Math.min(LOST_MS * REST * 2 ** this.#failures, LONGEST_MS);
    this.#failures += 1;
  }

  /** The address of the newest, or null if there is none that counts. */
  shown(now) {
    return this.#newest && now - this.#newest.at < STALE_MS ? this.#newest.url : null;
  }
}
