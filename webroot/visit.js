// The visit: joins the socket and the peer connection, keeps both alive, and knows how things stand. What a person sees of
// it is made in main.js.
import { LateCodec } from './codec.js';
import { Entry } from './entry.js';
import { Peer, brief, canCall, signalUrl } from './first.js';
import { beginAttempt } from './greeting.js';
import { Mail } from './mailbox.js';
import { Observer } from './observer.js';
import { savesData, takeFull } from './offered.js';
import { PostSocket } from './post.js';
import { FULL_RETRY_MS, Recovery, afterWelcome, brokenPause, farewell, freshFacts, hearHome, hearWelcome, isBarred, isCovered, isHeardOrSeen, isStanding, pageState, shownFacts, signOf } from './policy.js';
import { Refusals } from './refusals.js';
import { mayReload, reloadForAddress, reloadForVersion } from './reloads.js';
import { Signal } from './signal.js';
import { Snapshots } from './snapshots.js';
import { PictureWatch } from './watch.js';

const TICK_MS = 250;
const REPEAT_OFFER_MS = 5000;

const clock = () => performance.now();

/**
 * One person's stay. Fires `change` whenever `view()` may have changed, and `stream` when `stream` is to be shown. What home says beside the call is
 * in `mail`, and each `welcome`.
 * Signaling and media live side by side: the socket's death is never the call's.
 */
class Visit extends EventTarget {
  #signal = new Signal(signalUrl(), {
    opened: () => this.#opened(),
    message: (message) => this.#message(message),
    closed: (how) => this.#lost(how),
  }, () => new PostSocket());
  mail = new Mail();
  #facts = {};
  #entry = new Entry();
  // The visit's token at home, and whether the last hello asked to go on with it.
  #session = null;
  #asked = false;
  // The socket at hand has had its hello already.
  #greeted = false;
  // Whether home may be told about peer connections: not before it is known which of them still stand.
  #talking = false;
  #peer = null;
  #peers = 0;
  #tracks = { audio: null, video: null };
  #recovery = new Recovery();
  #watch = new PictureWatch();
  #observer = new Observer(this.#watch);
  #refusals = new Refusals();
  // The browser plays nothing before a tap, or no sound.
  #held = { all: false, sound: false };
  #frames = 0;
  #framesOfPeer = 0;
  #media = 'new';
  #disconnectedSince = 0;
  #offeredAt = 0;
  #rebuildAt = null;
  #codec = new LateCodec();
  #snapshots = new Snapshots();
  #breaks = 0;
  #timer = 0;
  #told = '';

  /** Starts afresh with the key at hand, or goes on with what first.js has begun. */
  start(begun = null) {
    this.#stop();
    this.#facts = freshFacts(clock());
    this.#recovery = new Recovery();
    this.#watch = new PictureWatch();
    this.#observer = new Observer(this.#watch);
    this.#refusals.restart();
    this.#codec.reset();
    this.#snapshots = new Snapshots();
    this.#breaks = 0;
    const invited = this.#entry.take();
    if (begun && (begun.key !== this.#entry.key || !canCall())) {
      begun.peer.close();
      begun.socket.close();
      begun = null;
    }
    if (!invited) return this.#end('wrong-link', 'no-key');
    if (!canCall()) return this.#end('unsupported', 'no-webrtc');
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    if (begun) return this.#adopt(begun);
    beginAttempt();
    takeFull(false);
    this.#signal.start();
    this.#build();
  }

  /** Ends the visit: home stops seeing and hearing this viewer at once. */
  leave() {
    this.#signal.send({ type: 'leave' });
    this.#end('left', null);
  }

  /** The page goes away or is put to rest; `start` starts again. */
  suspend() {
    this.#signal.send({ type: 'leave' });
    this.#stop();
  }

  /** The key that this page went in with last, or null. */
  get key() { return this.#entry.key; }

  /** The network or the page is back: look at once. */
  nudge() {
    if (this.#facts.ended) return;
    this.#signal.nudge();
    this.#tick();
  }

  /** Goes in with what a person pasted; says whether there is a key in it. */
  useLink(text) {
    if (!this.#entry.paste(text)) return false;
    this.start();
    return true;
  }

  /** Sends `track` of `kind` ('audio', 'video'), or nothing if null, now and on every later connection. */
  setTrack(kind, track) {
    this.#tracks[kind] = track;
    this.#peer?.setTrack(kind, track);
    this.sendState();
  }

  /** Tells home what this viewer sends now. */
  sendState() {
    if (!this.#facts.welcomed) return;
    const { audio, video } = this.#tracks;
    const saves = savesData() ? { saves: true } : null;
    this.#signal.send({ type: 'state', microphone: isHeardOrSeen(audio), camera: isHeardOrSeen(video), ...saves });
  }

  /** Takes the full picture for this visit, although the device saves data. */
  takeFull() {
    takeFull(true);
    this.sendState();
    this.#changed();
  }

  /** Sets how loud viewers are at home; home's answer is in `view()`. */
  setVolume(percent) {
    if (this.#facts.welcomed) this.#signal.send({ type: 'volume', percent });
  }

  /** Says `message` to home, if it can hear it now; returns whether. */
  say(message) {
    return this.#facts.welcomed === true && this.#signal.send(message);
  }

  /** `count` frames of home's picture have reached the screen. */
  presented(count = 1) {
    this.#frames += count;
    this.#framesOfPeer += count;
    if (!this.#facts.alive) this.#tick();
  }

  /** What the browser does not play before a tap: `all`, which is no picture that froze; or the `sound`, which may be all there is. */
  hold({ all, sound }) {
    if (this.#held.all === all && this.#held.sound === sound) return;
    this.#held = { all, sound };
    this.#tick();
  }

  /** Everything that the page may want to show. */
  view() {
    const media = this.#peer?.media ?? 'closed';
    const state = pageState(this.#facts, clock());
    const shown = shownFacts(this.#facts);
    return {
      ...shown,
      state,
      // This device saves data, so the picture is a small one.
      saves: savesData(),
      media: media === 'connected' ? 'connected' : media === 'connecting' || media === 'disconnected' ? 'checking' : 'none',
      socket: this.#signal.open ? 'open' : 'closed',
      // A connection stands but no picture comes; or home answers and no connection comes up.
      stuck: this.#watch.stuck,
      thin: this.#watch.thin,
      // This browser has no H.264, at least not yet; and has been without it for long.
      soundOnly: this.#peer?.soundOnly ?? false,
      late: this.#codec.isLate,
      // Instead of video, the address of a single picture.
      snapshot: state === 'sound' ? this.#snapshots.shown(clock()) : null,
      // Sound comes and no picture: people can talk already.
      talks: state === 'sound' || state === 'curtain' || (this.#watch.thin && state !== 'tap'),
      barred: isBarred(this.#facts, this.#recovery.rebuilds),
      // Home's computer answers, and refuses this page.
      refused: !shown.welcomed && this.#refusals.refuses(clock()),
      misdirected: !shown.welcomed && this.#refusals.misdirected,
    };
  }

  /** Home's tracks on the current peer connection, or null. */
  get stream() {
    return this.#peer?.stream ?? null;
  }

  /** The current connection's statistics, or null. */
  async getStats() {
    return (await this.#peer?.getStats()) ?? null;
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }

  #adopt({ socket, peer, ahead, inbox }) {
    this.#peers = peer.number;
    this.#peer = peer;
    this.#begin();
    peer.handTo(this.#hooks(peer.number));
    this.#greeted = socket.readyState === WebSocket.OPEN;
    this.#signal.adopt(socket, ahead, inbox);
    // Home may have refused in the meantime.
    if (this.#peer === peer) this.#mediaChanged();
  }

  #hooks(number) {
    const current = () => this.#peer?.number === number;
    return {
      send: (message) => this.#talking && this.#signal.send(message),
      changed: () => current() && this.#mediaChanged(),
      broken: (error) => current() && this.#broken(error),
    };
  }

  #begin() {
    this.#framesOfPeer = 0;
    this.#media = 'new';
    this.#rebuildAt = null;
    this.#offeredAt = clock();
    this.#recovery.begin();
    this.#watch.begin();
    this.#observer.begin();
  }

  /** Whether home can be asked. */
  get #signaling() {
    return this.#facts.welcomed && this.#talking;
  }

  /** The browser has H.264 by now. A connection that carries the sound is given up only for one that home hears of. */
  #buildFor(peer) {
    if (this.#peer !== peer || !this.#signaling) return false;
    this.#build();
    return true;
  }

  #build() {
    this.#peer?.close();
    this.#peers += 1;
    this.#begin();
    this.#peer = new Peer(this.#peers, this.#hooks(this.#peers));
    for (const [kind, track] of Object.entries(this.#tracks)) if (track) this.#peer.setTrack(kind, track);
    this.#changed();
  }

  #mediaChanged() {
    const media = this.#peer.media;
    if (media !== this.#media) {
      this.#media = media;
      if (media === 'disconnected') this.#disconnectedSince = clock();
      if (media === 'connected') {
        performance.mark('intercom-connected');
        this.#breaks = 0;
        this.#facts.unreached = false;
        brief.remove('intercom.addressless');
      }
    }
    // A rebuilt connection takes over once it runs: until then the last picture stays.
    if (this.#peer.answered && (!this.#facts.everAlive || media === 'connected')) this.dispatchEvent(new Event('stream'));
    this.#tick();
    this.#changed();
  }

  #broken(error) {
    console.warn('intercom: this connection cannot be used:', error);
    this.#rebuildAt = clock() + this.#pause();
  }

  /** Home has ended the visit: its connection failed there, or none came up. A new visit with a new connection. */
  #beginAgain(reason) {
    console.warn('intercom: home cannot go on with this connection:', reason);
    // Others may have the seat meanwhile.
    if (reason !== 'failed') this.#facts.unreached = true;
    this.#session = null;
    beginAttempt();
    this.#build();
    this.#signal.retryIn(this.#pause());
  }

  /** How long to wait before the next connection; longer with each that breaks before it runs. */
  #pause() {
    return brokenPause((this.#breaks += 1));
  }

  #opened() {
    this.#refusals.opened();
    this.#facts.untrusted = false;
    this.#asked = this.#session !== null;
    const greeted = this.#greeted;
    this.#greeted = false;
    if (greeted) {
      this.#talking = true;
      return;
    }
    const { pairing } = this.#entry;
    if (pairing) this.#signal.send(pairing);
    else this.#greet();
  }

  #greet() {
    this.#signal.send(this.#entry.hello(this.#session));
    if (this.#asked) return;
    // A new visit: home does not know any connection from before. The offer follows without waiting for the welcome.
    if (this.#peer?.answered) this.#build();
    this.#repeat();
  }

  #repeat() {
    this.#talking = true;
    this.#offeredAt = clock();
    if (this.#rebuildAt === null) this.#peer?.repeat();
  }

  #lost({ opened, quick }) {
    const facts = this.#facts;
    this.#talking = false;
    if (facts.welcomed) facts.downSince = clock();
    facts.welcomed = false;
    if (!opened) facts.full = false;
    facts.untrusted = this.#refusals.lost(quick, clock());
    this.#changed();
  }

  #message(message) {
    const facts = this.#facts;
    switch (message?.type) {
      case 'paired':
        if (this.#entry.paired(message.key)) this.#greet();
        break;
      case 'welcome':
        this.#welcomed(message);
        break;
      case 'answer':
        if (message.pc === this.#peer?.number) this.#peer.takeAnswer(message);
        return;
      case 'candidate':
        if (message.pc === this.#peer?.number) this.#peer.takeCandidate(message.candidate);
        return;
      case 'snapshot':
        if (!isCovered(facts)) this.#snapshots.came(message.jpeg, clock());
        break;
      case 'error':
        this.#refused(message);
        break;
      case 'bye':
        if (message.reason === 'revoked') return this.#end('revoked', null);
        if (farewell(message.reason)) return this.#end(farewell(message.reason), null, message.until);
        if (['failed', 'no_media', 'replaced'].includes(message.reason)) return this.#beginAgain(message.reason);
        facts.restarting = true;
        this.#signal.retryIn(500);
        break;
      default:
        if (message && this.mail.post(message)) return;
        if (message && hearHome(facts, message)) break;
        // Home may be newer: what this page does not know it does not need.
        console.warn('intercom: unknown message', message?.type);
        return;
    }
    this.#cover();
    this.#changed();
  }

  /** Where home shows nothing, nothing that it showed before counts or stays. */
  #cover() {
    const facts = this.#facts;
    const covered = isCovered(facts);
    if (covered || facts.covered) this.#framesOfPeer = 0;
    if (!covered || facts.covered) return;
    Object.assign(facts, { covered, alive: false, sound: false, held: false, everAlive: false });
    this.#snapshots = new Snapshots();
  }

  #welcomed(message) {
    this.#session = message.session;
    this.#entry.works();
    hearWelcome(this.#facts, message);
    const resumed = this.#asked && message.resumed;
    this.mail.post({ type: 'welcome', resumed });
    brief.remove('intercom.reloaded');
    const next = afterWelcome({ asked: this.#asked, resumed });
    if (next === 'repeat') this.#repeat();
    if (next === 'rebuild') {
      this.#talking = true;
      this.#build();
    }
    this.sendState();
  }

  #refused({ code, message, fatal }) {
    console.warn(`intercom: ${code}: ${message}`);
    switch (code) {
      case 'version':
        return this.#otherVersion();
      case 'wrong_key': {
        const failed = this.#entry.failed();
        if (failed) return this.#end('wrong-link', failed);
        this.#session = null;
        return this.#signal.retryIn(0);
      }
      case 'full':
      case 'key_busy':
        Object.assign(this.#facts, { full: true, busy: code === 'key_busy' });
        this.#session = null;
        return this.#signal.retryIn(FULL_RETRY_MS);
      case 'too_fast':
        return this.#signal.retryIn(10000);
      case 'bad_offer':
        return this.#broken(message);
      case 'not_allowed':
        return this.mail.post({ type: code });
      default:
        if (fatal) this.#signal.retryIn(5000);
    }
  }

  #otherVersion() {
    this.#stop();
    if (!reloadForVersion()) this.#end('unsupported', 'version');
  }

  #tick() {
    const peer = this.#peer;
    const facts = this.#facts;
    if (!peer || facts.ended) return;
    const now = clock();
    const signaling = this.#signaling;
    const { media, soundOnly } = peer;
    // A picture is missing only where home sends one.
    const expected = !isCovered(facts);
    const held = expected && (this.#held.all || (soundOnly && this.#held.sound));
    const visible = document.visibilityState === 'visible';

    this.#observer.look(peer, (asked) => this.#peer === asked);
    const repair = this.#recovery.step({ media, signaling, addressless: peer.addressless && mayReload() }, now);
    const seeing = visible && !held && !soundOnly;
    const wish = this.#watch.step({ frames: this.#frames, connected: media === 'connected', visible: seeing, signaling, expected }, now);
    const presented = this.#framesOfPeer > 0 && !this.#watch.stuck && expected;
    const stands = isStanding({ media, disconnectedSince: this.#disconnectedSince }, now);
    facts.stands = stands;
    facts.alive = stands && presented && !held;
    facts.held = stands && held;
    facts.sound = stands && soundOnly && !held && expected;
    if (facts.alive || facts.sound) facts.covered = false;
    facts.everAlive ||= facts.alive || facts.sound;
    if (soundOnly && media === 'connected' && signaling) this.#codec.step(now, () => this.#buildFor(peer));
    else if (facts.alive) this.#codec.reset();
    const seen = { soundOnly, media, signaling, visible: visible && !held && expected, restarting: facts.restarting };
    if (this.#snapshots.step(seen, now)) this.#signal.send({ type: 'snapshot' });

    if (repair === 'reload') {
      this.suspend();
      return reloadForAddress();
    }
    const due = this.#rebuildAt !== null && now >= this.#rebuildAt && signaling;
    if (due || repair === 'rebuild' || wish === 'rebuild') return this.#build();
    if (repair === 'restart') peer.restart();
    else if (signaling && !peer.answered && now - this.#offeredAt >= REPEAT_OFFER_MS) this.#repeat();
    if (wish === 'keyframe') this.#signal.send({ type: 'keyframe', pc: peer.number });

    const told = signOf(this.view());
    if (told !== this.#told) {
      this.#told = told;
      this.#changed();
    }
  }

  #end(state, reason, until = null) {
    Object.assign(this.#facts, { ended: state, reason, until, alive: false, welcomed: false });
    this.#stop();
    this.#changed();
  }

  #stop() {
    clearInterval(this.#timer);
    this.#signal.stop();
    this.#talking = false;
    this.#session = null;
    this.#rebuildAt = null;
    this.#peer?.close();
    this.#peer = null;
  }
}

/** The visit of this page. */
export const visit = new Visit();
