// How loud viewers are at home: what the slider shows and what it tells home, without a clock or a document of its own.

/**
 * Home's word counts, and comes to all pages alike. But while a person moves the slider, what home says is an echo of where
 * it was a moment ago: then the slider stays with the hand. Times are in ms.
 */
export class Volume {
  /** Home is told at most so often while the slider moves. */
  static EVERY_MS = 120;
  /** Home's word counts again so long after the last touch. */
  static HOLD_MS = 1000;

  #home = null;
  #wanted = null;
  #touchedAt = -Infinity;
  #toldAt = -Infinity;
  #untold = false;

  /** Home says `{ percent, least, most }`, or nothing (null) if it is an older one. */
  hear(volume) {
    this.#home = volume;
  }

  /** The person wants `percent`. */
  set(percent, now) {
    if (!this.allowed) return;
    const { least, most } = this.#home;
    this.#wanted = Math.round(Math.min(most, Math.max(least, percent)));
    this.#touchedAt = now;
    this.#untold = true;
  }

  /** The person wants it louder by `steps`, or softer. */
  step(steps, now) {
    if (this.allowed) this.set(this.shown(now).percent + steps, now);
  }

  /** Whether home lets pages set anything. */
  get allowed() {
    return Boolean(this.#home && this.#home.least < this.#home.most);
  }

  /** What the slider shows: `{ percent, least, most }`, or null where there is nothing to set. */
  shown(now) {
    if (!this.allowed) return null;
    return { ...this.#home, percent: this.#held(now) ? this.#wanted : this.#home.percent };
  }

  /** The percent to tell home now, once; or null. */
  due(now) {
    if (!this.#untold || now - this.#toldAt < Volume.EVERY_MS) return null;
    this.#untold = false;
    this.#toldAt = now;
    return this.#wanted;
  }

  /** In how many ms to look again, or null if only home or the person can change anything. */
  wait(now) {
    if (this.#untold) return Math.max(0, Volume.EVERY_MS - (now - this.#toldAt));
    return this.#held(now) ? Volume.HOLD_MS - (now - this.#touchedAt) : null;
  }

  #held(now) {
    return now - this.#touchedAt < Volume.HOLD_MS;
  }
}
