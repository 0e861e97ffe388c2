// Decisions without a clock, a socket or a document: what the page does next, given what it knows and `now` in ms.
import { narrowSide } from './limits.js';

/** A `full` home is asked again after this time. */
export const FULL_RETRY_MS = 15000;

/** Pauses between attempts: 0.3 s doubling to 5 s, a little random so that a family does not knock in step. */
export class Backoff {
  #step = 0;
  #openedAt = null;
  #random;

  constructor(random = Math.random) {
    this.#random = random;
  }

  /** The attempt succeeded. Only a connection that then lasts makes the next pause short again. */
  opened(now) {
    this.#openedAt = now;
  }

  /** The connection ended or never came: how long to wait, in ms. */
  next(now) {
    if (this.#openedAt !== null && now - this.#openedAt >= 10000) this.#step = 0;
    this.#openedAt = null;
    const pause = Math.min(5000, 300 * 2 ** this.#step);
    if (this.#step < 10) this.#step += 1;
    return Math.round(pause * (0.85 + 0.15 * this.#random()));
  }

  reset() {
    this.#step = 0;
  }
}

/**
 * What a `welcome` means for the peer connection at hand. `asked` says whether our `hello` named a visit to resume:
 * without it the offer already went out right behind the `hello`.
 */
export function afterWelcome({ asked, resumed }) {
  if (!asked) return 'carry-on';
  return resumed ? 'repeat' : 'rebuild';
}

/**
 * Whether the socket seems to be refused for its certificate alone. Browsers that allow a page behind a clicked-away
 * warning, but no WebSocket, close it at once and say nothing; a home that is down does not serve the page either.
 */
export function looksUntrusted({ quickFailures, everOpened, pageReachable }) {
  return !everOpened && quickFailures >= 3 && pageReachable;
}

/** So long at once is home's answer a refusal before the page says so; a restart is over by then. */
export const REFUSED_AFTER_MS = 12000;

/**
 * Whether home's computer answers at once and refuses, again and again: as when its certificate is another one by now, which a socket cannot show.
 * Only a page that is loaded again can ask the person. `since` is when the first of the quick failures in a row was, or null.
 */
export function looksRefused({ since, online }, now) {
  return online && since !== null && now - since >= REFUSED_AFTER_MS;
}

/** Brings a peer connection back: first by an ICE restart, then by building a new one, with growing patience. */
export class Recovery {
  static PATIENCE_MS = [6000, 8000, 12000, 20000, 30000];
  static RESTART_AFTER_MS = 1500;
  static ADDRESS_WITHIN_MS = 3000;
  static STABLE_MS = 10000;

  #rebuilds = 0;
  #since = null;
  #restarted = false;
  #connectedAt = null;

  /** How many connections in a row did not come up. */
  get rebuilds() {
    return this.#rebuilds;
  }

  /** A new peer connection has been started. */
  begin() {
    this.#since = null;
    this.#restarted = false;
    this.#connectedAt = null;
  }

  /**
   * `media` is RTCPeerConnection.connectionState, `signaling` whether home can be asked at all.
   * Returns null, 'restart', 'rebuild' or 'reload'. Without signaling nothing is torn down: what checks may still connect.
   * A browser that is `addressless` for long does not give names to its addresses (mDNS), and will not on this page:
   * Chromium, where the network came up only just before. Its next page has them.
   */
  step({ media, signaling, addressless = false }, now) {
    if (media === 'connected') {
      this.#connectedAt ??= now;
      this.#since = null;
      this.#restarted = false;
      if (now - this.#connectedAt >= Recovery.STABLE_MS) this.#rebuilds = 0;
      return null;
    }
    this.#connectedAt = null;
    if (!signaling) {
      this.#since = null;
      return null;
    }
    this.#since ??= now;
    const waited = now - this.#since;
    if (addressless && waited >= Recovery.ADDRESS_WITHIN_MS) return 'reload';
    if (!this.#restarted) {
      const broken = media === 'failed' || (media === 'disconnected' && waited >= Recovery.RESTART_AFTER_MS);
      if (broken) {
        this.#restarted = true;
        this.#since = now;
        return 'restart';
      }
    }
    const patience = Recovery.PATIENCE_MS[Math.min(this.#rebuilds, Recovery.PATIENCE_MS.length - 1)];
    if (waited < patience) return null;
    this.#rebuilds += 1;
    this.#since = now;
    return 'rebuild';
  }
}

/** How long the socket may be away, with no living picture, before the page calls home offline. */
export const OFFLINE_AFTER_MS = 6000;
const OFFLINE_AFTER_RESTART_MS = 20000;

/** What home says when it ends a visit and wants no other one by itself, and the state of the page then. */
const FAREWELLS = { ended: 'ended', declined: 'declined', no_answer: 'no-answer', resting: 'resting' };

/** The state of the page behind a `bye` for this `reason`, or null where the page may go on by itself. */
export const farewell = (reason) => (Object.hasOwn(FAREWELLS, reason) ? FAREWELLS[reason] : null);

/** Whether only the person may begin again, by a button. */
export const isDismissed = (state) => Object.values(FAREWELLS).includes(state);

/** Whether home sends no picture: this visit still knocks, or home has drawn the curtain. So none is missing. */
export const isCovered = ({ entry, curtain }) => entry === 'knock' || curtain;

/**
 * Whether home answers and nothing gets through to it or back: no connection came up in `rebuilds` tries, or home said so. While home shows nothing
 * no picture is missing, but a connection is: whoever knocks would else wait for something that cannot come.
 */
export function isBarred({ welcomed, unreached, alive, covered, stands }, rebuilds) {
  if (alive || (covered && stands)) return false;
  return unreached || (welcomed && rebuilds > 0);
}

/** The part of a `welcome` or `entry` that says how far in this visit is: 'inside', 'preview' or 'knock'. */
const entryOf = (entry) => (['preview', 'knock'].includes(entry?.state) ? entry.state : 'inside');

/** Takes a `welcome` into `facts`. A home that says nothing of roles has none: whoever has a key is family, and inside. */
export function hearWelcome(facts, { resumed, home, camera, muted = false, volume = null, role = 'family', entry, curtain = false }) {
  Object.assign(facts, { welcomed: true, full: false, restarting: false, home, camera, muted, volume, role, entry: entryOf(entry), curtain });
  if (!resumed) Object.assign(facts, { rung: 'full', limitedBy: null, narrow: null });
}

/** Takes what home tells of itself into `facts`; false if `message` is about something else. */
export function hearHome(facts, message) {
  switch (message.type) {
    case 'camera':
      facts.camera = message.camera;
      return true;
    case 'microphone':
      facts.muted = message.muted;
      return true;
    case 'volume':
      facts.volume = message.volume;
      return true;
    case 'stream':
      facts.rung = message.rung;
      return true;
    case 'limit':
      // Over POSTs it comes again and again; what the browser says changes meanwhile, and so would the words.
      if (message.by !== facts.limitedBy) Object.assign(facts, { limitedBy: message.by, narrow: narrowSide(message, navigator.connection) });
      return true;
    case 'name':
      facts.home = message.home?.trim?.() || null;
      return true;
    case 'role':
      facts.role = message.role ?? facts.role;
      return true;
    case 'entry':
      facts.entry = entryOf(message.entry);
      return true;
    case 'curtain':
      facts.curtain = message.drawn === true;
      return true;
    default:
      return false;
  }
}

/** What is known of a visit that begins at `now`. */
export const freshFacts = (now) => ({
  ended: null,
  reason: null,
  alive: false,
  everAlive: false,
  // The connection stands, and the browser plays nothing before a tap.
  held: false,
  // The connection stands, and has sound only.
  sound: false,
  welcomed: false,
  full: false,
  untrusted: false,
  restarting: false,
  unreached: false,
  // All seats that this key may have are taken.
  busy: false,
  downSince: now,
  // The connection stands, whatever comes over it.
  stands: false,
  role: 'family',
  entry: 'inside',
  curtain: false,
  // No picture of home may be seen, not even the last one; a new one ends that.
  covered: false,
  // When home can be visited again, in seconds since 1970.
  until: null,
  home: null,
  camera: 'live',
  muted: false,
  volume: null,
  rung: 'full',
  // What limits it by home's word, and whose connection that means.
  limitedBy: null,
  narrow: null,
});

/** Of `facts`, what the page may want to show as it is. */
export function shownFacts({ ended, reason, welcomed, restarting, busy, home, camera, muted, volume, rung, narrow, role, entry, covered, until }) {
  return { ended: Boolean(ended), reason, welcomed, restarting, busy, home, camera, muted, volume, rung, narrow, role, entry, covered, until };
}

/** What of a `view` changes by itself: another text where any of it does. */
export function signOf({ state, stuck, thin, barred, refused, misdirected, late, snapshot, covered }) {
  return `${state} ${stuck} ${thin} ${barred} ${refused} ${misdirected} ${late} ${Boolean(snapshot)} ${covered}`;
}

/** The one word for `<body data-state>`, from everything that is known. */
export function pageState(facts, now) {
  if (facts.ended) return facts.ended;
  if (facts.held) return 'tap';
  if (facts.alive) return 'live';
  if (facts.sound) return 'sound';
  if (facts.full) return 'full';
  if (facts.curtain && facts.entry !== 'knock' && facts.stands) return 'curtain';
  if (!facts.welcomed) {
    if (facts.untrusted) return 'blocked';
    const patience = facts.restarting || facts.unreached ? OFFLINE_AFTER_RESTART_MS : OFFLINE_AFTER_MS;
    if (now - facts.downSince >= patience) return 'offline';
  }
  if (facts.entry === 'knock') return 'knock';
  return facts.everAlive ? 'reconnecting' : 'connecting';
}

/** Whether the connection stands, or has only just hiccuped. */
export function isStanding({ media, disconnectedSince }, now) {
  return media === 'connected' || (media === 'disconnected' && now - disconnectedSince < 3000);
}

/** Whether home gets sound or pictures of this track. The device itself may mute one, for example a phone during a call. */
export const isHeardOrSeen = (track) => Boolean(track && track.enabled && !track.muted && track.readyState === 'live');

/**
 * How long to wait in ms before looking again whether the browser has H.264 by now, after `looks` that were in vain; and whether those
 * took so `late` that the person is to know that it may stay so.
 */
export function codecPause(looks) {
  const pauses = [1000, 2000, 5000, 15000];
  return { pause: pauses[looks] ?? 60000, late: looks >= pauses.length - 1 };
}

/** Whether an offer (SDP) has H.264 as home sends it: in packets of mode 1 (RFC 6184). */
export function hasH264(sdp) {
  const numbers = [...sdp.matchAll(/^a=rtpmap:(\d+) H264\/90000/gim)].map(([, number]) => number);
  return numbers.some((number) => new RegExp(`^a=fmtp:${number} .*packetization-mode=1`, 'm').test(sdp));
}

/** How long to wait before the next connection in ms, after so many that broke before they ran. */
export const brokenPause = (breaks) => [500, 2000, 5000, 15000][Math.min(breaks, 4) - 1];

/** What to ask the person for, 'both', 'mic', 'cam' or null, where `open` is what they are being asked: with `soundOnly` nobody would see. */
export function questionFor(open, soundOnly) {
  if (soundOnly) return open === 'cam' ? null : 'mic';
  return open === 'cam' ? 'cam' : 'both';
}
