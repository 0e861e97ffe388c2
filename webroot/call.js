// One peer connection with home: its offer, its candidates, its senders. Everything sent can be sent again.
import { orderCodecs } from './policy.js';

const VIDEO_MAX_BITRATE = 1_200_000;

/** 'yes', 'no-webrtc' or 'no-h264'. */
export function callSupport() {
  if (typeof RTCPeerConnection !== 'function' || !('addTransceiver' in RTCPeerConnection.prototype)) return 'no-webrtc';
  const capabilities = globalThis.RTCRtpReceiver?.getCapabilities?.('video');
  // Without capabilities the answer tells: home says `no_h264` then.
  if (capabilities && !orderCodecs(capabilities.codecs).length) return 'no-h264';
  return 'yes';
}

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
  #closed = false;

  /** `on`: `send(message)`, `changed()`, `broken(error)`; `stream` holds home's tracks once `changed` is called. */
  constructor(number, on) {
    this.number = number;
    this.stream = new MediaStream();
    this.#on = on;
    const pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' });
    this.#pc = pc;
    pc.onicecandidate = ({ candidate }) => this.#found(candidate ? candidate.candidate : '');
    pc.onconnectionstatechange = () => on.changed();
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
    const dtls = this.#video.receiver.transport?.state;
    if (dtls === 'closed' || dtls === 'failed') return 'failed';
    return this.#pc.connectionState;
  }

  /** Whether the newest offer has its answer. */
  get answered() {
    return this.#rev > 0 && this.#answered === this.#rev;
  }

  /** Says again all that home may have missed; home knows what it has already. */
  repeat() {
    if (this.#sdp && !this.answered) this.#on.send({ type: 'offer', pc: this.number, rev: this.#rev, sdp: this.#sdp });
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
      for (const candidate of this.#remote.splice(0)) this.#add(candidate);
      this.#tune();
      this.#on.changed();
    } catch (error) {
      if (!this.#closed) this.#on.broken(error);
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
    if (this.#closed || sender.track === track) return;
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
      this.#on.send({ type: 'offer', pc: this.number, rev: this.#rev, sdp: offer.sdp });
      await pc.setLocalDescription(offer);
      this.#offered = true;
      const early = this.#early;
      this.#early = null;
      if (early) await this.takeAnswer(early);
    } catch (error) {
      if (!this.#closed) this.#on.broken(error);
    }
  }

  #found(candidate) {
    if (this.#closed) return;
    this.#local.push(candidate);
    this.#sendCandidate(candidate);
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
    const sender = this.#video.sender;
    try {
      const parameters = sender.getParameters();
      if (!parameters.encodings?.length) return;
      parameters.encodings[0].maxBitrate = VIDEO_MAX_BITRATE;
      parameters.degradationPreference = 'maintain-framerate';
      sender.setParameters(parameters).catch(() => {});
    } catch {
      // Some browsers take no parameters; the defaults serve.
    }
  }
}
