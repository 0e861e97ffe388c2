// Watches that the picture really moves, and grades how well it travels. No clock and no document: `now` in ms.

/**
 * Connected but black: ask for a keyframe, then for a new connection, then say so, with growing pauses. But a connection
 * that brings something is not torn down because it brings little: there only keyframes are asked for.
 */
export class PictureWatch {
  static PATIENCE_MS = 2000;
  static PAUSES_MS = [2000, 4000, 8000, 16000, 30000];
  /** Nothing came for so long: nothing comes. */
  static DRY_MS = 3000;
  /** So many whole frames and none presented: it is not the path that is at fault. */
  static WHOLE = 5;

  #frames = -1;
  #since = null;
  #asked = false;
  #tries = 0;
  #stuck = false;
  #thin = false;
  #packets = 0;
  #packetsAt = -Infinity;
  // Whole frames by the first look since the last that was presented, and by the latest.
  #before = null;
  #whole = 0;

  /** Whether a new connection did not help either, so that it is time for words. */
  get stuck() {
    return this.#stuck;
  }

  /** Whether the connection brings something, and not enough for a picture. */
  get thin() {
    return this.#thin;
  }

  /** Whether it would help to know what arrives. */
  waits(now) {
    return this.#since !== null && now - this.#since >= PictureWatch.PATIENCE_MS / 2;
  }

  /** A new peer connection has been started; what was tried before still counts. */
  begin() {
    this.#since = null;
    this.#asked = false;
    this.#packets = 0;
    this.#packetsAt = -Infinity;
    this.#before = null;
    this.#whole = 0;
  }

  /** What has come over this connection so far: `packets` of any kind, and `whole` frames of home's picture. */
  arrived({ packets, whole }, now) {
    if (packets > this.#packets) this.#packetsAt = now;
    this.#packets = packets;
    this.#before ??= whole;
    this.#whole = whole;
  }

  /**
   * `frames` counts presented frames, `connected` is the media path, `visible` whether the page shows pictures at all (one that
   * is hidden does not, nor one that waits for a tap), `signaling` whether home can be asked. Where home sends none on purpose none is
   * `expected`. Returns null, 'keyframe' or 'rebuild'.
   */
  step({ frames, connected, visible, signaling, expected = true }, now) {
    if (frames !== this.#frames) {
      const first = this.#frames === -1;
      this.#frames = frames;
      this.#asked = false;
      this.#since = now;
      this.#before = null;
      if (!first) {
        this.#tries = 0;
        this.#stuck = false;
        this.#thin = false;
      }
      if (connected) return null;
    }
    if (!expected) {
      this.#tries = 0;
      this.#stuck = false;
      this.#thin = false;
    }
    if (!connected || !visible || !signaling || !expected) {
      this.#since = null;
      this.#asked = false;
      return null;
    }
    this.#since ??= now;
    const waited = now - this.#since;
    if (!this.#asked) {
      if (waited < PictureWatch.PATIENCE_MS) return null;
      return this.#ask(now);
    }
    if (waited >= PictureWatch.PATIENCE_MS && this.#tries > 0) this.#stuck = true;
    const pauses = PictureWatch.PAUSES_MS;
    if (waited < pauses[Math.min(this.#tries, pauses.length - 1)]) return null;
    this.#tries += 1;
    this.#thin = now - this.#packetsAt < PictureWatch.DRY_MS && this.#whole - (this.#before ?? this.#whole) < PictureWatch.WHOLE;
    if (this.#thin) return this.#ask(now);
    this.#since = now;
    this.#asked = false;
    return 'rebuild';
  }

  #ask(now) {
    this.#asked = true;
    this.#since = now;
    return 'keyframe';
  }
}

/** Cumulative numbers out of a getStats() report; those missing are null. */
export function readStats(report) {
  const seen = { lost: 0, received: 0, frames: null, freezes: null, roundTripMs: null };
  for (const entry of report.values()) {
    if (entry.type === 'inbound-rtp') {
      seen.lost += entry.packetsLost ?? 0;
      seen.received += entry.packetsReceived ?? 0;
      if (entry.kind === 'video') {
        seen.frames = entry.framesDecoded ?? null;
        seen.freezes = entry.freezeCount ?? null;
      }
    } else if (entry.type === 'candidate-pair' && entry.nominated && entry.currentRoundTripTime !== undefined) {
      seen.roundTripMs = entry.currentRoundTripTime * 1000;
    }
  }
  return seen;
}

/** What a getStats() report says of what came from home, for [PictureWatch]. */
export function readArrivals(report) {
  const seen = { packets: 0, whole: 0 };
  for (const entry of report.values()) {
    if (entry.type !== 'inbound-rtp') continue;
    seen.packets += entry.packetsReceived ?? 0;
    if (entry.kind === 'video') seen.whole = entry.framesReceived ?? entry.framesDecoded ?? 0;
  }
  return seen;
}

/** 'good', 'weak' or 'poor' for the seconds between two readings; `reduced` is home's word on its stream. */
export function gradeQuality({ before, after, seconds, reduced }) {
  const lost = Math.max(0, after.lost - before.lost);
  const received = Math.max(0, after.received - before.received);
  const share = lost + received > 0 ? lost / (lost + received) : 0;
  const rate = after.frames === null || before.frames === null ? null : (after.frames - before.frames) / seconds;
  const froze = after.freezes !== null && before.freezes !== null && after.freezes > before.freezes;
  const far = after.roundTripMs ?? 0;
  if (share > 0.08 || far > 800 || (rate !== null && rate < 5)) return 'poor';
  if (reduced || share > 0.02 || far > 350 || froze || (rate !== null && rate < 12)) return 'weak';
  return 'good';
}
