// What the page sends where the path is too thin: words come before the picture. No clock and no document: `now` in ms.

/**
 * What to send at most, in bit/s, null for as much as ever: all of it; what a path of 64 kbit/s carries; and what a wider
 * one that loses much does. Sound goes twice over the path (RED), in packets whose headers take 26 kbit/s, unless it may wait
 * `longer` for fewer of them.
 */
export const PLANS = {
  full: { audio: null, longer: false, video: null, fps: null, smaller: 1 },
  thin: { audio: 12_000, longer: true, video: 8_000, fps: 1, smaller: 2 },
  lossy: { audio: 20_000, longer: false, video: 8_000, fps: 1, smaller: 2 },
};

/**
 * Chooses a plan from what the browser measures. Browsers take from the picture alone when the path narrows, and from that
 * only down to 30 kbit/s; the sound takes 90, whatever happens.
 */
export class Uplink {
  /** What the whole sound needs, and the least picture with it. */
  static NEED = 130_000;
  static LOST = 0.08;
  /** Later than at best by this: packets wait in a queue that we fill. */
  static QUEUE_MS = 150;
  /** So late on a path that is estimated narrow: they waited from the first one on, which home's picture may have made them. */
  static LATE_MS = 250;
  /** Readings in a row, of one a second, that make a path narrow. */
  static BELIEVED = 3;
  /** Home's reports, of one in five seconds, in a row that say how a plan does; the first is of the time before, too. */
  static REPORTS = 2;
  /** Whether more fits again is tried after this time, later after each try that failed. */
  static PATIENCE_MS = [15_000, 30_000, 60_000, 120_000];
  /** What lasts so long is no try any more. */
  static STEADY_MS = 30_000;

  #plan = 'full';
  #bestMs = Infinity;
  #bad = 0;
  #report = null;
  #tries = 0;
  // When everything was sent last, or again.
  #since = 0;

  get plan() {
    return this.#plan;
  }

  /** A new connection, which sends everything at first; how late its packets are at best is to be seen. */
  begin(now) {
    this.#plan = 'full';
    this.#bestMs = Infinity;
    this.#bad = 0;
    this.#since = now;
  }

  /**
   * Takes a reading: `available` is the browser's estimate in bit/s and `roundTripMs` how late packets are, each null where
   * it is not known, `lost` the part of the sound that home misses by its last report, null before the first, and `report`
   * tells that from the one before. Returns the new plan, or null if it stays.
   */
  step({ available, lost, roundTripMs, report }, now) {
    if (roundTripMs !== null) this.#bestMs = Math.min(this.#bestMs, roundTripMs);
    const narrow = available !== null && available < Uplink.NEED;
    const late = narrow ? Math.min(Uplink.LATE_MS, this.#bestMs + Uplink.QUEUE_MS) : this.#bestMs + Uplink.QUEUE_MS;
    const queued = roundTripMs !== null && roundTripMs > late;
    const losing = lost !== null && lost >= Uplink.LOST;
    const fresh = report !== this.#report;
    this.#report = report;
    if (this.#plan === 'full') {
      if (now - this.#since >= Uplink.STEADY_MS) this.#tries = 0;
      // Two of three: a small estimate alone is one of who says little, losses alone are those of a radio.
      const signs = Number(losing) + Number(narrow) + Number(queued);
      if (this.#count(signs >= 2) < Uplink.BELIEVED) return null;
      this.#since = now;
      return this.#change(queued ? 'thin' : 'lossy');
    }
    const patience = Uplink.PATIENCE_MS[Math.min(this.#tries, Uplink.PATIENCE_MS.length - 1)];
    if (!queued && now - this.#since >= patience) {
      this.#tries += 1;
      this.#since = now;
      return this.#change('full');
    }
    // What gets lost although nothing waits is the path's own loss, which a better voice suffers less from.
    const other = losing && queued === (this.#plan === 'lossy');
    if (!fresh || this.#count(other) < Uplink.REPORTS) return null;
    return this.#change(queued ? 'thin' : 'lossy');
  }

  #count(seen) {
    this.#bad = seen ? this.#bad + 1 : 0;
    return this.#bad;
  }

  #change(plan) {
    this.#plan = plan;
    this.#bad = 0;
    return plan;
  }
}

/** A getStats() report's reading for [Uplink.step]. */
export function readUplink(report) {
  let available = null;
  let pairMs = null;
  let told = null;
  for (const entry of report.values()) {
    if (entry.type === 'candidate-pair' && entry.nominated) {
      available = entry.availableOutgoingBitrate ?? null;
      if (entry.currentRoundTripTime !== undefined) pairMs = entry.currentRoundTripTime * 1000;
    } else if (entry.type === 'remote-inbound-rtp' && entry.kind === 'audio') {
      told = entry;
    }
  }
  const roundTripMs = told?.roundTripTime === undefined ? pairMs : told.roundTripTime * 1000;
  return { available, lost: told?.fractionLost ?? null, roundTripMs, report: told?.timestamp ?? null };
}
