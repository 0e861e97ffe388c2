// What the page decides without a browser: keys, pauses, resuming, repairing, the one word for its state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const policy = { ...(await page('first.js')), ...(await page('offered.js')), ...(await page('policy.js')) };

const KEY = 'abc_DEF-1234567890xyzQ';

test('the key is found wherever it stands in what was opened or pasted', () => {
  const link = `https://192.0.2.1:8443/#k=${KEY}`;
  for (const text of [
    `#k=${KEY}`,
    `#x=1&k=${KEY}`,
    `#k=${KEY}&utm_source=mail`,
    `?k=${KEY}`,
    `#/k=${KEY}/`,
    `#k=${KEY}.`,
    `#k=${KEY})`,
    `#k=${KEY},`,
    `#k=${KEY}/`,
    `#k=${KEY}”`,
    `#k=${KEY}-`,
    `#k=${KEY}_`,
    `#k=${KEY}…`,
    `#k=${KEY}%20`,
    `#k=%E2%80%8B${KEY}`,
    `#k=%22${KEY}%22`,
    `k=${KEY}\u200bLove`,
    `#k=${KEY}%zz`,
    `#k%3D${KEY}`,
    `#k%253D${KEY}`,
    `#%6b=${KEY}`,
    `k=${KEY}`,
    `Hello grandma, here is the link: ${link}. See you soon!`,
    `<${link}>`,
    `[home](${link})`,
    `_${link}_`,
    `\u200b${link}\u200b`,
    `https://192.0.2.1:8443/#k=${KEY.slice(0, 9)}\u00ad${KEY.slice(9)}`,
    `https://192.0.2.1:8443/#k=${KEY.slice(0, 9)}\r\n  ${KEY.slice(9)} Love, Anna`,
    `https://192.0.2.1:8443/#k=${KEY.slice(0, 9)} ${KEY.slice(9)}`,
    `https://192.0.2.1:8443/#k=3D${KEY.slice(0, 9)}=\r\n${KEY.slice(9)}`,
    `https://gateway.example/?url=${encodeURIComponent(link)}&data=05%7C01%7C`,
    `https://gateway.example/?url=${encodeURIComponent(encodeURIComponent(link))}&d=1`,
    `https://gateway.example/v3/__${link}__;!!Abc!xyz$`,
  ]) {
    assert.equal(policy.secretIn('k', text), KEY, text);
    assert.equal(policy.keyFromPaste(text), KEY, text);
    assert.equal(policy.secretIn('p', text), null, text);
    assert.equal(policy.tokenFromPaste(text.replaceAll('k=', 'p=').replaceAll('k%3D', 'p%3D').replaceAll('k%253D', 'p%253D').replaceAll('%6b', 'p')), KEY, text);
  }
});

test('what has not the shape of a key is none, and no guess', () => {
  for (const text of [
    '',
    '#k=',
    '#k=short',
    `#k=${KEY}x`,
    `#k=${KEY}-x`,
    `#k=${KEY.slice(1)}`,
    `#k=%zz${KEY}`,
    `#k=${KEY.slice(0, 21)}z`,
    `#token=${KEY}`,
    `#ok=${KEY}`,
    '#k=%zz',
    'hello grandma',
    'https://192.0.2.1:8443/',
    `${'%25'.repeat(3000)}k=`,
  ]) {
    assert.equal(policy.secretIn('k', text), null, text);
    assert.equal(policy.keyFromPaste(text), null, text);
  }
});

test('a bare key will do, and a bare key only', () => {
  for (const text of [KEY, ` ${KEY} \n`, `"${KEY}"`, `(${KEY}).`, `\u200b${KEY}`]) assert.equal(policy.keyFromPaste(text), KEY, text);
  assert.equal(policy.keyFromPaste(`my key is ${KEY}`), null);
  assert.equal(policy.tokenFromPaste(KEY), null);
});

test('pauses grow from 0.3 s to 5 s and a connection that flaps does not shorten them', () => {
  const backoff = new policy.Backoff(() => 1);
  assert.deepEqual([0, 1, 2, 3, 4, 5].map(() => backoff.next(0)), [300, 600, 1200, 2400, 4800, 5000]);
  backoff.opened(1000);
  assert.equal(backoff.next(3000), 5000);
  backoff.opened(4000);
  assert.equal(backoff.next(14000), 300);
});

test('a resumed visit keeps its connection, a forgotten one builds a new one, the first just goes on', () => {
  assert.equal(policy.afterWelcome({ asked: false, resumed: false }), 'carry-on');
  assert.equal(policy.afterWelcome({ asked: true, resumed: true }), 'repeat');
  assert.equal(policy.afterWelcome({ asked: true, resumed: false }), 'rebuild');
});

/** Steps `recovery` every 250 ms and lists what it wants, with the second it wanted it. */
function run(recovery, seconds, at, from = 0) {
  const wishes = [];
  for (let now = from * 1000; now <= seconds * 1000; now += 250) {
    const wish = recovery.step(at(now / 1000), now);
    if (wish) wishes.push(`${wish}@${now / 1000}`);
    if (wish === 'rebuild') recovery.begin();
  }
  return wishes;
}

test('a browser that finds no address of its own loads the page again, while home can be asked', () => {
  const lost = (signaling) => () => ({ media: 'new', signaling, addressless: true });
  assert.equal(run(new policy.Recovery(), 10, lost(true))[0], 'reload@3');
  assert.deepEqual(run(new policy.Recovery(), 10, lost(false)), []);
  const found = run(new policy.Recovery(), 5.5, (at) => ({ media: 'new', signaling: true, addressless: at < 2.5 }));
  assert.deepEqual(found, []);
});

test('a connection that broke gets an ICE restart, then a new connection, then more and more time', () => {
  const recovery = new policy.Recovery();
  const wishes = run(recovery, 30, () => ({ media: 'failed', signaling: true }));
  assert.deepEqual(wishes.slice(0, 3), ['restart@0', 'rebuild@6', 'restart@6.25']);
  const disconnected = run(new policy.Recovery(), 3, () => ({ media: 'disconnected', signaling: true }));
  assert.deepEqual(disconnected, ['restart@1.5']);
});

test('a hiccup that heals by itself is left alone', () => {
  const wishes = run(new policy.Recovery(), 20, (s) => ({ media: s > 3 && s < 4 ? 'disconnected' : 'connected', signaling: true }));
  assert.deepEqual(wishes, []);
});

test('while the socket is dead nothing is torn down, and afterwards checking gets its full time again', () => {
  const recovery = new policy.Recovery();
  const wishes = run(recovery, 70, (s) => ({ media: 'connecting', signaling: s < 3 || s >= 60 }));
  assert.deepEqual(wishes, ['rebuild@66']);
});

test('patience grows with each connection that does not come up, and a stable one resets it', () => {
  const recovery = new policy.Recovery();
  assert.deepEqual(run(recovery, 60, () => ({ media: 'connecting', signaling: true })), [
    'rebuild@6',
    'rebuild@14.25',
    'rebuild@26.5',
    'rebuild@46.75',
  ]);
  run(recovery, 80, () => ({ media: 'connected', signaling: true }), 61);
  assert.equal(recovery.rebuilds, 0);
});

test('each state has its word, and a living picture outshines a dead socket', () => {
  const facts = { ended: null, alive: false, everAlive: false, welcomed: true, full: false, untrusted: false, restarting: false, downSince: 0 };
  const state = (changes, now = 1000) => policy.pageState({ ...facts, ...changes }, now);
  assert.equal(state({}), 'connecting');
  assert.equal(state({ everAlive: true }), 'reconnecting');
  assert.equal(state({ alive: true, welcomed: false }, 60000), 'live');
  assert.equal(state({ welcomed: false }, 5000), 'connecting');
  assert.equal(state({ welcomed: false }, 7000), 'offline');
  assert.equal(state({ welcomed: false, everAlive: true, restarting: true }, 7000), 'reconnecting');
  assert.equal(state({ welcomed: false, everAlive: true, restarting: true }, 21000), 'offline');
  assert.equal(state({ welcomed: false, unreached: true }, 16000), 'connecting');
  assert.equal(state({ welcomed: false, unreached: true }, 21000), 'offline');
  assert.equal(state({ welcomed: false, full: true }, 60000), 'full');
  assert.equal(state({ welcomed: false, untrusted: true }), 'blocked');
  assert.equal(state({ ended: 'left', alive: true }), 'left');
  assert.equal(state({ sound: true, welcomed: false }, 60000), 'sound');
  assert.equal(state({ sound: true, held: true }), 'tap');
  // A picture that waits for a tap is not live, whatever else is going on.
  assert.equal(state({ held: true, everAlive: true }), 'tap');
  assert.equal(state({ held: true, welcomed: false }, 60000), 'tap');
  assert.equal(state({ held: true, ended: 'left' }), 'left');
});

test('knocking and the curtain have a word of their own, and no dead socket is hidden behind them', () => {
  const facts = { ...policy.freshFacts(0), welcomed: true };
  const state = (changes, now = 1000) => policy.pageState({ ...facts, ...changes }, now);
  assert.equal(state({ entry: 'knock' }), 'knock');
  assert.equal(state({ entry: 'knock', curtain: true, stands: true }), 'knock', 'whoever knocks is not told what is behind the door');
  assert.equal(state({ entry: 'knock', welcomed: false }, 5000), 'knock');
  assert.equal(state({ entry: 'knock', welcomed: false }, 7000), 'offline');
  assert.equal(state({ entry: 'knock', full: true }), 'full');
  assert.equal(state({ curtain: true, stands: true }), 'curtain');
  assert.equal(state({ curtain: true, stands: true, welcomed: false }, 60000), 'curtain', 'the voice still goes home');
  assert.equal(state({ curtain: true, stands: false, welcomed: false }, 60000), 'offline');
  assert.equal(state({ curtain: true, stands: true, ended: 'ended' }), 'ended');
  assert.equal(policy.farewell('constructor'), null);
  for (const reason of ['restart', 'failed', 'no_media', 'replaced', 'new-one', undefined]) assert.equal(policy.farewell(reason), null, reason);
  assert.deepEqual(['left', 'revoked', 'live'].map(policy.isDismissed), [false, false, false]);
});

test('a connection that hiccups stands for three seconds', () => {
  assert.equal(policy.isStanding({ media: 'connected', disconnectedSince: 0 }, 9000), true);
  assert.equal(policy.isStanding({ media: 'disconnected', disconnectedSince: 7000 }, 9000), true);
  assert.equal(policy.isStanding({ media: 'disconnected', disconnectedSince: 5000 }, 9000), false);
  for (const media of ['new', 'connecting', 'failed', 'closed']) assert.equal(policy.isStanding({ media, disconnectedSince: 9000 }, 9000), false);
});

test('a home that answers and refuses for long is told from one that restarts and from one that is off', () => {
  assert.equal(policy.looksRefused({ since: null, online: true }, 1e6), false);
  assert.equal(policy.looksRefused({ since: 1000, online: true }, 6000), false);
  assert.equal(policy.looksRefused({ since: 1000, online: true }, 13000), true);
  assert.equal(policy.looksRefused({ since: 1000, online: false }, 13000), false);
});

test('the certificate is suspected only where the page loads and the socket never did', () => {
  const seen = { quickFailures: 3, everOpened: false, pageReachable: true };
  assert.equal(policy.looksUntrusted(seen), true);
  assert.equal(policy.looksUntrusted({ ...seen, quickFailures: 2 }), false);
  assert.equal(policy.looksUntrusted({ ...seen, everOpened: true }), false);
  assert.equal(policy.looksUntrusted({ ...seen, pageReachable: false }), false);
});

test('constrained baseline with whole packets comes first, other codecs do not come', () => {
  const codec = (mimeType, sdpFmtpLine) => ({ mimeType, sdpFmtpLine });
  const high = codec('video/H264', 'packetization-mode=1;profile-level-id=64001f');
  const single = codec('video/H264', 'packetization-mode=0;profile-level-id=42e01f');
  const best = codec('video/H264', 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f');
  const rtx = codec('video/rtx');
  assert.deepEqual(policy.orderCodecs([codec('video/VP8'), rtx, single, high, best]), [best, high, single, rtx]);
  assert.deepEqual(policy.orderCodecs([codec('video/VP8'), rtx]), []);
});

test('a track that the person or the device switched off is not told as on', () => {
  const track = { enabled: true, muted: false, readyState: 'live' };
  assert.equal(policy.isHeardOrSeen(track), true);
  for (const off of [{ enabled: false }, { muted: true }, { readyState: 'ended' }]) assert.equal(policy.isHeardOrSeen({ ...track, ...off }), false);
  assert.equal(policy.isHeardOrSeen(null), false);
});

test('a browser that knows H.264 late is asked again, at last once a minute, and after eight seconds the person hears of it', () => {
  const pauses = [0, 1, 2, 3, 4, 9].map(policy.codecPause);
  assert.deepEqual(pauses.map(({ pause }) => pause), [1000, 2000, 5000, 15000, 60000, 60000]);
  assert.deepEqual(pauses.map(({ late }) => late), [false, false, false, true, true, true]);
});

test('an offer has H.264 if that is such as home sends', () => {
  const offer = (codec, parameters) => `v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 102\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:102 ${codec}\r\na=fmtp:102 ${parameters}\r\n`;
  assert.equal(policy.hasH264(offer('H264/90000', 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f')), true);
  assert.equal(policy.hasH264(offer('H264/90000', 'level-asymmetry-allowed=1;profile-level-id=42e01f')), false);
  assert.equal(policy.hasH264(offer('H264/90000', 'packetization-mode=0;profile-level-id=42e01f')), false);
  assert.equal(policy.hasH264(offer('VP9/90000', 'packetization-mode=1')), false);
  assert.equal(policy.hasH264(''), false);
});

test('an open question follows the picture as it comes and goes', () => {
  const asked = (open) => [policy.questionFor(open, false), policy.questionFor(open, true)];
  assert.deepEqual([null, 'both', 'mic', 'cam'].map(asked), [['both', 'mic'], ['both', 'mic'], ['both', 'mic'], ['cam', null]]);
});

test('home hears how fast the page came, where that can be told', () => {
  const came = (encodedBodySize, ms) => policy.cameAt({ encodedBodySize, transferSize: encodedBodySize + 300, responseStart: 500, responseEnd: 500 + ms });
  assert.equal(came(9000, 200), 300);
  assert.equal(came(9000, 20), 3000);
  assert.equal(came(9000, 0), 50_000);
  assert.equal(came(1000, 20), null);
  // It still comes.
  const coming = (now) => policy.cameAt({ encodedBodySize: 0, transferSize: 0, responseStart: 500, responseEnd: 0 }, now);
  assert.ok(coming(620) > 250 && coming(620) < 350);
  assert.equal(coming(510), null);
  // Out of the cache, after a 304.
  assert.equal(policy.cameAt({ encodedBodySize: 9000, transferSize: 300, responseStart: 500, responseEnd: 501 }), null);
  assert.equal(policy.cameAt({ encodedBodySize: 9000, transferSize: 0, responseStart: 500, responseEnd: 520 }), null);
  assert.equal(policy.cameAt(undefined), null);
});
