// Runs in every page before the page's own scripts: watches, counts and times; the page need not know of it.
(() => {
  if (window.lab) return;
  const lab = {
    marks: {},          // what → ms since navigation start, first time only
    log: [],            // [ms, what happened]
    frames: [],         // one entry a presented frame of video#home, see `present`
    unreadable: [],     // pictures, as data URLs, of the first few frames without a readable strip
    skew: [],           // wall clock minus performance clock, ms
    connections: [],
    sockets: [],
    refuseSockets: false,
    errors: [],
  };
  Object.defineProperty(window, 'lab', { value: lab });
  const now = () => performance.now();
  const mark = what => { lab.marks[what] ??= now(); };
  const note = what => { if (lab.log.length < 2000) lab.log.push([Math.round(now()), what]); };
  const readSkew = () => lab.skew.push(Date.now() - performance.timeOrigin - now());
  readSkew();
  addEventListener('error', event => lab.errors.push(String(event.message)));
  addEventListener('unhandledrejection', event => lab.errors.push(`unhandled: ${event.reason}`));

  // ---- The coded strip: 2 rows of 40 cells over the picture's full width. ----
  const CELLS = 40;
  const CELL = 8;
  let canvas, pixels;

  function crc16(bytes) {
    let crc = 0xffff;
    for (const byte of bytes) {
      crc ^= byte << 8;
      for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    }
    return crc;
  }

  // `source` is a video or canvas `width` pixels wide. Gives { at, seq } or { unreadable: 'sync' | 'crc' }.
  lab.readStrip = (source, width) => {
    if (!canvas) {
      canvas = document.createElement('canvas');
      canvas.width = CELLS * CELL;
      canvas.height = 2 * CELL;
      pixels = canvas.getContext('2d', { willReadFrequently: true });
    }
    pixels.drawImage(source, 0, 0, width, 2 * width / CELLS, 0, 0, canvas.width, canvas.height);
    const rgba = pixels.getImageData(0, 0, canvas.width, canvas.height).data;
    const luma = (row, column) => {
      let sum = 0;
      for (let y = row * CELL + 2; y < row * CELL + 6; y++) {
        for (let x = column * CELL + 2; x < column * CELL + 6; x++) {
          const i = 4 * (y * canvas.width + x);
          sum += 0.299 * rgba[i] + 0.587 * rgba[i + 1] + 0.114 * rgba[i + 2];
        }
      }
      return sum / 16;
    };
    const ones = [luma(0, 0), luma(0, 2), luma(1, 1), luma(1, 3)];
    const zeros = [luma(0, 1), luma(0, 3), luma(1, 0), luma(1, 2)];
    const mean = list => list.reduce((a, b) => a + b) / list.length;
    const threshold = (mean(ones) + mean(zeros)) / 2;
    const synced = mean(ones) - mean(zeros) >= 64
      && ones.every(v => v > threshold) && zeros.every(v => v <= threshold);
    if (!synced) return { unreadable: 'sync' };
    const bytes = new Uint8Array(9);
    for (let bit = 0; bit < 72; bit++) {
      const row = bit < 36 ? 0 : 1;
      if (luma(row, 4 + bit % 36) > threshold) bytes[bit >> 3] |= 0x80 >> (bit & 7);
    }
    if (crc16(bytes.subarray(0, 7)) !== (bytes[7] << 8 | bytes[8])) return { unreadable: 'crc' };
    let at = 0; // 44 bits: too many for the bit operators
    for (let i = 0; i < 5; i++) at = at * 256 + bytes[i];
    return { at: at * 16 + (bytes[5] >> 4), seq: (bytes[5] & 15) << 8 | bytes[6] };
  };

  // ---- Presented frames. ----
  function present(video, meta, when) {
    mark('firstFrame');
    const frame = { t: when, w: meta.width, h: meta.height, n: meta.presentedFrames };
    const strip = lab.readStrip(video, video.videoWidth);
    if (strip.unreadable) {
      frame.unreadable = strip.unreadable;
      keepPicture(video);
    } else {
      mark('firstCoded');
      frame.seq = strip.seq;
      frame.at = strip.at;
      frame.latency = performance.timeOrigin + when - strip.at;
    }
    lab.frames.push(frame);
  }
  function keepPicture(video) {
    if (lab.unreadable.length >= 3) return;
    const copy = document.createElement('canvas');
    copy.width = video.videoWidth;
    copy.height = video.videoHeight;
    copy.getContext('2d').drawImage(video, 0, 0);
    lab.unreadable.push(copy.toDataURL());
  }
  const watched = new WeakSet();
  function watch(video) {
    if (watched.has(video)) return;
    watched.add(video);
    const next = (_, meta) => {
      const when = now();
      video.requestVideoFrameCallback(next);
      if (!(video.srcObject instanceof MediaStream) || !video.videoWidth) return;
      present(video, meta, when);
    };
    video.requestVideoFrameCallback(next);
  }
  const findHome = () => { const home = document.querySelector('video#home'); if (home) watch(home); };
  document.addEventListener('readystatechange', findHome); // 'interactive' comes before module scripts
  const srcObject = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject');
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', {
    ...srcObject,
    set(stream) { srcObject.set.call(this, stream); if (this.id === 'home') watch(this); },
  });

  // ---- Peer connections. ----
  const NativeConnection = window.RTCPeerConnection;
  window.RTCPeerConnection = class RTCPeerConnection extends NativeConnection {
    constructor(...options) {
      super(...options);
      const number = lab.connections.push(this) - 1;
      mark('connectionCreated');
      note(`connection ${number} created`);
      this.addEventListener('iceconnectionstatechange', () => {
        note(`connection ${number} ice ${this.iceConnectionState}`);
        if (/connected|completed/.test(this.iceConnectionState)) mark('iceConnected');
        if (this.iceConnectionState === 'checking') lab.onChecking?.();
      });
      this.addEventListener('connectionstatechange', () => {
        note(`connection ${number} ${this.connectionState}`);
        if (this.connectionState === 'connected') mark('encrypted');
      });
      this.addEventListener('track', event => note(`connection ${number} track ${event.track.kind}`));
    }
    setLocalDescription(...options) { mark('offered'); return super.setLocalDescription(...options); }
    setRemoteDescription(...options) { mark('answered'); return super.setRemoteDescription(...options); }
  };

  // ---- WebSockets. ----
  const NativeSocket = window.WebSocket;
  window.WebSocket = class WebSocket extends NativeSocket {
    constructor(url, ...rest) {
      // A refused socket goes to a port where nobody listens, so that the page sees what it would see.
      const target = new URL(url, location.href);
      if (lab.refuseSockets) target.port = 1;
      super(target, ...rest);
      const entry = { socket: this, refused: lab.refuseSockets, opened: null, closed: null, received: [], sent: [] };
      const number = lab.sockets.push(entry) - 1;
      const kind = data => { try { return JSON.parse(data).type ?? '?'; } catch { return '?'; } };
      entry.kind = kind;
      note(`socket ${number} made`);
      this.addEventListener('open', () => { entry.opened = now(); mark('socketOpen'); note(`socket ${number} open`); });
      this.addEventListener('close', event => { entry.closed = now(); note(`socket ${number} closed ${event.code}`); });
      this.addEventListener('message', event => { if (entry.received.length < 1000) entry.received.push(kind(event.data)); });
    }
    send(data) {
      const entry = lab.sockets.find(e => e.socket === this);
      if (entry && entry.sent.length < 1000) entry.sent.push(entry.kind(data));
      return super.send(data);
    }
  };
  // Words that go in POSTs instead.
  lab.posted = [];
  const nativeFetch = window.fetch;
  window.fetch = (address, options) => {
    const isSignal = String(address).endsWith('/signal');
    if (isSignal) lab.posted.push(...options.body.split('\n').map(line => JSON.parse(line).type));
    return nativeFetch(address, options);
  };
  /** All that the page has said to home, by its types. */
  lab.said = () => [...lab.posted, ...lab.sockets.flatMap(({ sent }) => sent)];
  lab.killSockets = () => {
    const open = lab.sockets.filter(e => e.socket.readyState < NativeSocket.CLOSING);
    for (const e of open) { note('the test kills a socket'); e.socket.close(); }
    return open.length;
  };

  // ---- What a test asks. ----
  lab.overview = () => ({
    now: now(),
    url: location.href,
    state: document.body?.dataset.state ?? null,
    media: document.body?.dataset.media ?? null,
    socket: document.body?.dataset.socket ?? null,
    quality: document.querySelector('#quality')?.dataset.level ?? null,
    status: document.querySelector('#status')?.innerText ?? null,
    note: document.querySelector('#note')?.innerText ?? null,
    visibility: document.visibilityState,
    marks: lab.marks,
    frames: lab.frames.length,
    lastFrame: lab.frames.at(-1) ?? null,
    connections: lab.connections.map(c => ({ ice: c.iceConnectionState, state: c.connectionState, signaling: c.signalingState })),
    sockets: lab.sockets.map(({ refused, opened, closed, received, sent, socket }) => ({
      refused, opened, closed, received, sent, state: socket.readyState,
    })),
    errors: lab.errors,
  });

  const wanted = {
    'inbound-rtp': ['framesReceived', 'framesDecoded', 'framesDropped', 'keyFramesDecoded', 'freezeCount', 'totalFreezesDuration',
      'jitterBufferDelay', 'jitterBufferEmittedCount', 'bytesReceived', 'packetsReceived', 'packetsLost', 'nackCount', 'pliCount',
      'firCount', 'totalDecodeTime', 'frameWidth', 'frameHeight', 'decoderImplementation', 'concealedSamples',
      'silentConcealedSamples', 'totalSamplesReceived'],
    'outbound-rtp': ['bytesSent', 'packetsSent', 'framesEncoded', 'framesPerSecond', 'frameWidth', 'frameHeight', 'encoderImplementation',
      'targetBitrate'],
  };
  lab.stats = async () => {
    const connection = lab.connections.findLast(c => c.connectionState !== 'closed');
    const result = { t: now(), video: null, audio: null, sentVideo: null, sentAudio: null, pair: null };
    if (!connection) return result;
    const report = await connection.getStats();
    report.forEach(entry => {
      const fields = wanted[entry.type];
      if (fields) {
        const place = entry.type === 'inbound-rtp' ? entry.kind : entry.kind === 'video' ? 'sentVideo' : 'sentAudio';
        const codec = report.get(entry.codecId);
        result[place] = { codec: codec ? `${codec.mimeType} ${codec.sdpFmtpLine ?? ''}` : null };
        for (const field of fields) if (entry[field] !== undefined) result[place][field] = entry[field];
      } else if (entry.type === 'transport' && entry.selectedCandidatePairId) {
        const pair = report.get(entry.selectedCandidatePairId);
        const local = report.get(pair?.localCandidateId);
        const remote = report.get(pair?.remoteCandidateId);
        result.pair = {
          local: local?.candidateType, remote: remote?.candidateType, remoteAddress: remote?.address, remotePort: remote?.port,
          protocol: local?.protocol, dtls: entry.tlsVersion, srtp: entry.srtpCipher,
        };
      }
    });
    readSkew();
    return result;
  };

  // Home's sound as it leaves the decoder: { rate, gaps, pace, pcm: base64 of mono signed 16 bit }. The browser's sound
  // device asks for it in real time, whatever home does: a pace below 1 means that the machine was too busy for that.
  lab.hear = async seconds => {
    const tracks = lab.connections.flatMap(c => c.getReceivers().map(r => r.track));
    const track = tracks.findLast(t => t.kind === 'audio' && t.readyState === 'live');
    if (!track) throw new Error('no live audio track from home');
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 2000 }).readable.getReader();
    const blocks = [];
    let rate = 0, count = 0, gaps = 0, expected = null, began = null;
    const late = new Promise(resolve => setTimeout(resolve, 4000 * seconds + 5000, { late: true }));
    while (!rate || count < seconds * rate) {
      const { value, done, late: tooLate } = await Promise.race([reader.read(), late]);
      if (tooLate) throw new Error(`only ${count} samples of sound came`);
      if (done) throw new Error('the audio track ended');
      rate = value.sampleRate;
      const block = new Float32Array(value.numberOfFrames);
      value.copyTo(block, { planeIndex: 0, format: 'f32-planar' });
      if (expected !== null && Math.abs(value.timestamp - expected) > 5000) gaps++;
      expected = value.timestamp + value.duration;
      value.close();
      blocks.push(block);
      began ??= now();
      count += block.length;
    }
    const pace = (count - blocks[0].length) / rate / ((now() - began) / 1000);
    reader.cancel();
    const pcm = new Int16Array(count);
    let at = 0;
    for (const block of blocks) for (const sample of block) pcm[at++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
    let text = '';
    const bytes = new Uint8Array(pcm.buffer);
    for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    return { rate, gaps, pace, pcm: btoa(text) };
  };
})();
