// First light: all that stands between the link and home's picture. It offers a peer connection, in a POST and a socket beside
// that, and shows what comes; it stands at the document's head and imports almost nothing, so that it runs before the
// document is whole, and shows the picture though nothing else ever comes. main.js takes over what was begun here.
import { cameAt, orderCodecs, savesData } from './offered.js';
import { beginAttempt, hello, random } from './greeting.js';
import { Line } from './line.js';

const VIDEO_MAX_BITRATE = 1_200_000;
// Longer than this without a picture, and a person wants to be told that it is coming.
const PATIENCE_MS = 400;
let look;

// Zero-width characters, soft hyphens and marks of direction, which come along when text is copied.
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;

/**
 * The access key (`kind` is 'k') or the one-use token ('p') in `text`, or null: 128 bits in base64url behind `k=` or `p=`. Messengers, mail
 * gateways and people put things around it, escape it once or twice, and break lines in it.
 */
export function secretIn(kind, text) {
  const shape = new RegExp(`(?:^|[^\\w-])${kind}=["'(<]?([\\w-]{21}[AQgw])(?![_-]*[A-Za-z0-9])`);
  const quotedPrintable = text.replace(/=\r?\n/g, '').replace(/=3D/gi, '=');
  for (let form of [text, quotedPrintable, text.replace(/\r?\n\s*/g, ''), text.replace(/\s+/g, '')]) {
    for (let round = 0; round < 4; round += 1) {
      const found = shape.exec(form) ?? shape.exec(form.replace(INVISIBLE, ''));
      if (found) return found[1];
      form = unescaped(form);
    }
  }
  return null;
}

/** `text` with one layer of %-escapes less, as far as they make sense. */
function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/%([0-7][0-9a-f])/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  }
}

/** The same in the address that was opened. */
const secretInAddress = (kind) => secretIn(kind, location.hash) ?? secretIn(kind, location.search);
/** The access key in the address, or null. */
export const keyInAddress = () => secretInAddress('k');
/** Whether the address has a key or a token in it, or what is left of one. */
export const hasSecret = (text) => /(^|[#?&/])[kp](=|%)/i.test(text) || Boolean(secretIn('k', text) ?? secretIn('p', text));

/** None of that stays in the address. */
function cleanAddress() {
  if (!hasSecret(location.hash) && !hasSecret(location.search)) return;
  history.replaceState(history.state, '', location.pathname + (hasSecret(location.search) ? '' : location.search));
}

/** The key in whatever a person pastes: text with a link in it, the end of one, or the bare key. */
export function keyFromPaste(text) {
  const bare = /^[^\w-]*([\w-]{21}[AQgw])[^\w-]*$/.exec(text.replace(INVISIBLE, ''));
  return secretIn('k', text) ?? (bare ? bare[1] : null);
}

/** The token in a pasted link of a code, or null. */
export const tokenFromPaste = (text) => secretIn('p', text);

/** What lasts: 'intercom.install', 'intercom.key', 'intercom.send', 'intercom.visits'. */
export const kept = memory('localStorage');
/** What ends with the tab: 'intercom.addressless', 'intercom.code', 'intercom.reloaded', 'intercom.tries', 'intercom.trying'. */
export const brief = memory('sessionStorage');

/** A browser may forbid storage; the page then remembers until it is closed. */
function memory(name) {
  const spare = new Map();
  const real = () => globalThis[name];
  return {
    get(key) {
      try {
        return real().getItem(key) ?? spare.get(key) ?? null;
      } catch {
        return spare.get(key) ?? null;
      }
    },
    set(key, value) {
      spare.set(key, value);
      try {
        real().setItem(key, value);
      } catch {
        // Full or forbidden: `spare` has it.
      }
    },
    /** Whether it is still there after the page was loaded again. */
    lasts(key) {
      try {
        return real().getItem(key) !== null;
      } catch {
        return false;
      }
    },
    remove(key) {
      spare.delete(key);
      try {
        real().removeItem(key);
      } catch {
        // Forbidden: there was nothing in it either.
      }
    },
  };
}

/** The key to go in with, or null. One out of the address leaves it, and is only tried: anyone who made the link may be wrong, or mean harm. */
export function takeKey() {
  const fresh = keyInAddress();
  if (fresh) tryKey(fresh);
  cleanAddress();
  return keyAtHand();
}

/** The key that is being tried, else the one that home has welcomed, or null. */
const keyAtHand = () => brief.get('intercom.trying') ?? kept.get('intercom.key');

/** Goes in with this key next; the one that is kept stays until home has welcomed this one. */
export function tryKey(key) {
  if (key === kept.get('intercom.key')) brief.remove('intercom.trying');
  else brief.set('intercom.trying', key);
}

/** Home has welcomed this key. */
export function keyWorks(key) {
  if (brief.get('intercom.trying') === key) keepKey(key);
}

/** Home does not know this key. The one that was kept beside it, or null. */
export function keyFailed(key) {
  if (brief.get('intercom.trying') !== key) return null;
  brief.remove('intercom.trying');
  return kept.get('intercom.key');
}

/** The code that was read off home's TV and is not exchanged for a key yet: `{ token, nonce }`, or null. */
export function takeCode() {
  const token = secretInAddress('p');
  // It leaves the address with the key, which `takeKey` takes next.
  if (token) keepCode(token);
  const [kept, nonce] = (brief.get('intercom.code') ?? '').split(' ');
  return nonce ? { token: kept, nonce } : null;
}

/** Remembers a code's token until it is exchanged; with a nonce, by which home knows this page again. */
export function keepCode(token) {
  brief.set('intercom.code', `${token} ${random()}`);
}

/** Remembers a key that home has given or welcomed. */
export function keepKey(key) {
  kept.set('intercom.key', key);
  brief.remove('intercom.trying');
}

/** Where home listens. */
export const signalUrl = () => `wss://${location.host}/signal`;

/** Whether this browser has WebRTC. Whether it has H.264, home's answer tells: what a browser says of itself may come late. */
export const canCall = () => typeof RTCPeerConnection === 'function' && 'addTransceiver' in RTCPeerConnection.prototype;

/** Peer connection number `number`. `send` may drop a message; `repeat` says all of it again. */
export class Peer {
  #pc;
  #on;
  #audio;
  #video;
  #rev = 0;
  #sdp = null;
  #answered = 0;
  #offered = false;
  #early = null;
  #local = [];
  #remote = [];
  #error = null;
  #closed = false;
  #soundOnly = false;

  /** `on`: `send(message)`, `changed()`, `broken(error)`; `stream` holds home's tracks once `changed` is called. */
  constructor(number, on) {
    this.number = number;
    this.stream = new MediaStream();
    this.#on = on;
    // A pool: the browser looks for its addresses, and names for them, while the offer is still being written.
    const pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle', iceCandidatePoolSize: 1 });
    this.#pc = pc;
    pc.onicecandidate = ({ candidate }) => this.#found(candidate ? candidate.candidate : '');
    pc.onconnectionstatechange = () => this.#on.changed();
    this.#audio = pc.addTransceiver('audio', { direction: 'sendrecv' });
    this.#video = pc.addTransceiver('video', {
      direction: 'sendrecv',
      sendEncodings: [{ maxBitrate: VIDEO_MAX_BITRATE }],
    });
    this.#preferH264();
    pc.ontrack = ({ track }) => this.stream.addTrack(track);
    this.#offer();
  }

  /** RTCPeerConnection.connectionState, where a media path that home has closed counts as failed. */
  get media() {
    if (this.#closed) return 'closed';
    const dtls = this.#audio.receiver.transport?.state;
    if (dtls === 'closed' || dtls === 'failed') return 'failed';
    return this.#pc.connectionState;
  }

  /** Whether the browser is still looking for a first address of its own. */
  get addressless() {
    return this.#local.length === 0 && this.#pc.iceGatheringState === 'gathering';
  }

  /** Whether the newest offer has its answer. */
  get answered() {
    return this.#rev > 0 && this.#answered === this.#rev;
  }

  /** Whether home's answer has no picture: this offer had no H.264. */
  get soundOnly() {
    return this.#soundOnly;
  }

  /** Says again all that home may have missed; home knows what it has already. */
  repeat() {
    if (this.#sdp && !this.answered && this.#early?.rev !== this.#rev) this.#sendOffer();
    for (const candidate of this.#local) this.#sendCandidate(candidate);
  }

  /** Applies home's answer; one that is late, repeated or of another offer changes nothing. */
  async takeAnswer({ rev, sdp }) {
    if (this.#closed || rev !== this.#rev || this.answered) return;
    if (!this.#offered) {
      this.#early = { rev, sdp };
      return;
    }
    this.#answered = rev;
    try {
      await this.#pc.setRemoteDescription({ type: 'answer', sdp });
      this.#soundOnly = /^m=video 0 /m.test(sdp);
      if (this.#soundOnly) console.warn('intercom: this browser has no H.264, so there is sound only');
      for (const candidate of this.#remote.splice(0)) this.#add(candidate);
      this.#tune();
      this.#on.changed();
    } catch (error) {
      this.#broke(error);
    }
  }

  /** An address that home has, before or after its answer. */
  takeCandidate(candidate) {
    if (this.#closed) return;
    if (this.#pc.remoteDescription) this.#add(candidate);
    else if (this.#remote.length < 64) this.#remote.push(candidate);
  }

  /** Sends `track` (or nothing, if null) from now on, without a new offer. */
  async setTrack(kind, track) {
    const sender = (kind === 'audio' ? this.#audio : this.#video).sender;
    if (this.#closed || sender.track === track || (kind === 'video' && this.#soundOnly)) return;
    try {
      await sender.replaceTrack(track);
      if (track) this.#tune();
    } catch (error) {
      if (!this.#closed) console.warn('intercom: cannot send', kind, error);
    }
  }

  /** New ICE credentials and addresses on the same connection. */
  restart() {
    if (this.#closed) return;
    this.#pc.restartIce?.();
    this.#offer(true);
  }

  getStats() {
    return this.#pc.getStats();
  }

  /** From now on somebody else is told, also of what broke before. */
  handTo(on) {
    this.#on = on;
    if (this.#error) on.broken(this.#error);
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#pc.onicecandidate = this.#pc.onconnectionstatechange = this.#pc.ontrack = null;
    this.#pc.close();
  }

  #preferH264() {
    const capabilities = globalThis.RTCRtpReceiver?.getCapabilities?.('video');
    if (!capabilities || !this.#video.setCodecPreferences) return;
    const codecs = orderCodecs(capabilities.codecs);
    try {
      if (codecs.length) this.#video.setCodecPreferences(codecs);
    } catch (error) {
      console.warn('intercom: the browser keeps its own order of codecs', error);
    }
  }

  async #offer(iceRestart = false) {
    try {
      const pc = this.#pc;
      const offer = await pc.createOffer(iceRestart ? { iceRestart: true } : undefined);
      if (this.#closed) return;
      this.#local.length = 0;
      this.#sdp = offer.sdp;
      this.#rev += 1;
      // Home can start on it while the browser still applies it: candidates follow by themselves.
      this.#offered = false;
      this.#sendOffer();
      await pc.setLocalDescription(offer);
      this.#offered = true;
      const early = this.#early;
      this.#early = null;
      if (early) await this.takeAnswer(early);
    } catch (error) {
      this.#broke(error);
    }
  }

  #broke(error) {
    if (this.#closed) return;
    this.#error = error;
    this.#on.broken(error);
  }

  #found(candidate) {
    if (this.#closed) return;
    this.#local.push(candidate);
    this.#sendCandidate(candidate);
  }

  #sendOffer() {
    const kbps = cameAt();
    this.#on.send({ type: 'offer', pc: this.number, rev: this.#rev, sdp: this.#sdp, ...(kbps ? { kbps } : null), ...(savesData() ? { saves: true } : null) });
  }

  #sendCandidate(candidate) {
    this.#on.send({ type: 'candidate', pc: this.number, candidate });
  }

  #add(candidate) {
    // Everything is bundled into the first section.
    const init = { candidate, sdpMid: this.#audio.mid ?? '0', sdpMLineIndex: 0 };
    this.#pc.addIceCandidate(init).catch((error) => console.warn('intercom: candidate not usable', error));
  }

  /** A face that moves matters more than a sharp one, and home needs no more bits than this. */
  #tune() {
    setParameters(this.#video.sender, (parameters, encoding) => {
      encoding.maxBitrate = VIDEO_MAX_BITRATE;
      parameters.degradationPreference = 'maintain-framerate';
    });
  }

  /** Sends sound and picture by another plan of uplink.js, without a new offer. */
  send({ audio, longer, video, fps, smaller }) {
    setParameters(this.#audio.sender, (_, encoding) => {
      limit(encoding, 'maxBitrate', audio);
      encoding.adaptivePtime = longer;
    });
    setParameters(this.#video.sender, (_, encoding) => {
      limit(encoding, 'maxBitrate', video ?? VIDEO_MAX_BITRATE);
      limit(encoding, 'maxFramerate', fps);
      encoding.scaleResolutionDownBy = smaller;
    });
  }
}

/** Some browsers take no parameters, or not these; the defaults serve. */
function setParameters(sender, change) {
  try {
    const parameters = sender.getParameters();
    if (!parameters.encodings?.length) return;
    change(parameters, parameters.encodings[0]);
    sender.setParameters(parameters).catch((error) => console.warn('intercom: the browser sends as it likes', error));
  } catch (error) {
    console.warn('intercom: the browser sends as it likes', error);
  }
}

function limit(encoding, what, value) {
  if (value === null) delete encoding[what];
  else encoding[what] = value;
}

/** Resolves with the first picture, or when there is something to say first. */
export const firstLook = new Promise((resolve) => (look = resolve));

/**
 * What was begun before the rest of the page was there: `{ key, socket, peer, ahead, inbox }`, with all messages that came before
 * the socket was open, and on it; null if there is no key or no way to call.
 */
export const begun = globalThis.document ? begin() : null;

function begin() {
  addEventListener('load', loadAgainUnlessWhole);
  // Not takeKey: what asks the browser for more waits until the call is on its way.
  const key = keyInAddress() ?? keyAtHand();
  if (!key || secretInAddress('p') || brief.get('intercom.code') || !canCall()) {
    look();
    return null;
  }
  const { dataset } = document.documentElement;
  dataset.opening = '';
  const open = () => delete dataset.opening;
  firstLook.then(open);
  setTimeout(open, PATIENCE_MS);
  beginAttempt();
  const socket = new Line(signalUrl());
  const ahead = [];
  const inbox = [];
  let box = ahead;
  let posted = false;
  const send = (message) => {
    if (socket.readyState === WebSocket.OPEN) return socket.send(JSON.stringify(message));
    // Candidates follow over the socket: home finds most of them out by itself.
    if (message.type !== 'offer' || posted) return;
    posted = true;
    socket.post([hello(key, null), message]);
  };
  const peer = new Peer(1, {
    send,
    changed: () => peer.answered && show(peer.stream),
    broken: () => {
      socket.release();
      look();
    },
  });
  socket.onopen = () => {
    performance.mark('intercom-socket-open');
    box = inbox;
    send(hello(key, socket.session));
    // What home may have missed goes right behind, without waiting for the welcome.
    peer.repeat();
  };
  socket.onmessage = ({ data }) => {
    box.push(data);
    const message = parse(data);
    if (message?.type === 'answer' && message.pc === 1) peer.takeAnswer(message);
    // Where there is no picture, there are words.
    else if (['error', 'bye'].includes(message?.type) || message?.entry?.state === 'knock' || message?.curtain) look();
  };
  socket.onclose = look;
  return { key, socket, peer, ahead, inbox };
}

/** Plays without sound where the browser wants a tap first; player.js offers that tap. */
function show(stream) {
  const video = document.getElementById('home');
  if (!video) return whenParsed('home', () => show(stream));
  if (video.srcObject) return;
  video.srcObject = stream;
  const seen = () => {
    performance.mark('intercom-first-frame');
    // The veil goes, though main.js is not there yet.
    document.documentElement.dataset.seen = '';
    look();
  };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(seen);
  else video.addEventListener('loadeddata', seen, { once: true });
  video.play().catch(() => {
    video.muted = true;
    // Not even that: there is something to say.
    video.play().catch(look);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The connection may break in the middle of the document: then parts.js is missing. main.js forgets the tries. */
function loadAgainUnlessWhole() {
  if ('whole' in document.documentElement.dataset) return;
  const tries = Number(brief.get('intercom.tries'));
  brief.set('intercom.tries', String(tries + 1));
  setTimeout(() => location.reload(), Math.min(60000, 3000 * 2 ** tries));
}

/** Over a path that loses packets home may answer before the document has come as far as its picture. */
function whenParsed(id, then) {
  const observer = new MutationObserver(() => {
    if (!document.getElementById(id)) return;
    observer.disconnect();
    then();
  });
  observer.observe(document, { childList: true, subtree: true });
}
