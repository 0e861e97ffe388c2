// The signaling socket: kept open, watched by pings, opened again after every death. It knows nothing of the call,
// so its end cannot touch one.
import { Backoff } from './policy.js';

const PING_EVERY_MS = 5000;
const PONG_WITHIN_MS = 5000;
const PONG_AFTER_SLEEP_MS = 2000;
const DIAL_WITHIN_MS = 8000;
const QUICK_MS = 3000;
const BESIDE_EVERY_MS = 30000;

const clock = () => performance.now();

/**
 * Speaks JSON with `url`. Calls `opened()`, `message(object)` and `closed({ opened, quick })`. `instead()` makes what looks like a socket: as long as none
 * has ever opened, every other attempt is by that, and a socket is tried beside it.
 */
export class Signal {
  #url;
  #on;
  #instead;
  #socket = null;
  // A WebSocket has opened on this page, attempts in vain since, and whether home has spoken without one.
  #reached = false;
  #failed = 0;
  #heard = false;
  // What is at hand is no WebSocket; one that is tried beside it.
  #standsIn = false;
  #beside = null;
  #besideTimer = 0;
  #wanted = false;
  #open = false;
  #dialedAt = 0;
  #backoff = new Backoff();
  #hold = null;
  #retryTimer = 0;
  #dialTimer = 0;
  #pingTimer = 0;
  #pongTimer = 0;

  constructor(url, on, instead = null) {
    this.#url = url;
    this.#on = on;
    this.#instead = instead;
  }

  get open() {
    return this.#open;
  }

  /** Opens the socket now and keeps it open until `stop`. */
  start() {
    this.#wanted = true;
    if (!this.#socket) this.#dial();
  }

  /** Goes on with a `socket` that was opened elsewhere, and with the messages that came `ahead` of its opening and on it until now. */
  adopt(socket, ahead, inbox) {
    this.#wanted = true;
    this.#dialedAt = clock();
    this.#watchOver(socket);
    const hear = (texts) => texts.forEach((text) => this.#socket === socket && this.#receive(text));
    hear(ahead);
    if (this.#socket === socket && socket.readyState === WebSocket.OPEN) this.#opened();
    hear(inbox);
    socket.handOver?.();
    if (this.#socket === socket && socket.readyState > WebSocket.OPEN) this.#drop();
  }

  /** Ends it for good; messages already sent still go out. */
  stop() {
    this.#wanted = false;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#hold = null;
    this.#forget();
  }

  /** Sends if the socket is open and says whether it was. Whatever still matters is said again after a reconnect. */
  send(message) {
    if (!this.#open) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Home has ended this socket: the next attempt comes after `ms` instead of the usual pause. */
  retryIn(ms) {
    this.#hold = ms;
    this.#drop();
  }

  /** The network or the page has just come back: do not wait, and do not trust a socket that may have died asleep. */
  nudge() {
    if (!this.#wanted) return;
    if (this.#open) {
      this.#ping(PONG_AFTER_SLEEP_MS);
    } else if (!this.#socket) {
      this.#backoff.reset();
      this.#dial();
    } else if (clock() - this.#dialedAt > 2000) {
      this.#drop();
      this.#dial();
    }
  }

  #dial() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#hold = null;
    this.#dialedAt = clock();
    this.#standsIn = Boolean(this.#instead && !this.#reached && this.#failed % 2);
    this.#watchOver(this.#standsIn ? this.#instead() : new WebSocket(this.#url));
    if (this.#standsIn) this.#tryBeside();
  }

  /** A WebSocket that comes after all takes over. */
  #tryBeside() {
    this.#besideTimer = setTimeout(() => {
      const socket = new WebSocket(this.#url);
      this.#beside = socket;
      socket.onopen = () => {
        this.#beside = null;
        this.#forget();
        this.#standsIn = false;
        this.#watchOver(socket);
        this.#opened();
      };
      socket.onclose = () => this.#tryBeside();
    }, BESIDE_EVERY_MS);
  }

  #watchOver(socket) {
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#drop();
    this.#dialTimer = setTimeout(() => this.#drop(), DIAL_WITHIN_MS);
  }

  #opened() {
    clearTimeout(this.#dialTimer);
    this.#open = true;
    this.#failed = 0;
    this.#reached ||= !this.#standsIn;
    this.#backoff.opened(clock());
    this.#schedulePing();
    this.#on.opened();
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      console.warn('intercom: home sent something that is not JSON');
      return;
    }
    if (typeof message?.type !== 'string') return;
    this.#heard = true;
    if (message.type === 'pong') {
      clearTimeout(this.#pongTimer);
      this.#pongTimer = 0;
    } else {
      this.#on.message(message);
    }
  }

  #schedulePing() {
    clearTimeout(this.#pingTimer);
    this.#pingTimer = setTimeout(() => {
      this.#ping(PONG_WITHIN_MS);
      this.#schedulePing();
    }, PING_EVERY_MS);
  }

  #ping(within) {
    this.send({ type: 'ping', t: clock() });
    if (this.#pongTimer && within >= PONG_WITHIN_MS) return;
    clearTimeout(this.#pongTimer);
    const due = clock() + within;
    this.#pongTimer = setTimeout(() => {
      this.#pongTimer = 0;
      // A timer this late means the page slept, and the pong may wait right behind it: ask once more.
      if (clock() - due > 1500) this.#ping(PONG_AFTER_SLEEP_MS);
      else this.#drop();
    }, within);
  }

  #forget() {
    clearTimeout(this.#dialTimer);
    clearTimeout(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    clearTimeout(this.#besideTimer);
    this.#pongTimer = 0;
    const socket = this.#socket;
    this.#socket = null;
    this.#open = this.#heard = false;
    if (this.#beside) {
      this.#beside.onopen = this.#beside.onclose = null;
      this.#beside.close();
      this.#beside = null;
    }
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #drop() {
    if (!this.#open) this.#failed += 1;
    // Home has answered, if not over this.
    const opened = this.#open || this.#heard;
    const quick = !opened && clock() - this.#dialedAt < QUICK_MS;
    this.#forget();
    if (!this.#wanted) return;
    const pause = this.#hold ?? this.#backoff.next(clock());
    this.#hold = null;
    this.#retryTimer = setTimeout(() => this.#dial(), pause);
    this.#on.closed({ opened, quick });
  }
}
