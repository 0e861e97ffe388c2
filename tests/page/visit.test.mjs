// A whole visit against a socket and a peer connection of our own, on a clock that jumps: what home's entry, curtain and farewells do.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { page } from './webroot.mjs';

const KEY = 'abc_DEF-1234567890xyzQ';
const storage = () => {
  const items = new Map();
  return { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value), removeItem: (key) => items.delete(key) };
};

let now;
let sockets;
let peers;

class FakeSocket {
  static OPEN = 1;
  constructor() {
    this.sent = [];
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

class FakePeer {
  connectionState = 'new';
  iceGatheringState = 'complete';
  remoteDescription = null;
  constructor() {
    peers.push(this);
  }
  addTransceiver() {
    return { mid: '0', receiver: {}, sender: { track: null, replaceTrack: async () => {}, getParameters: () => ({}) } };
  }
  createOffer = async () => ({ sdp: 'v=0' });
  setLocalDescription = async () => {};
  setRemoteDescription = async () => {};
  getStats = async () => new Map();
  close() {}
  connects() {
    this.connectionState = 'connected';
    this.onconnectionstatechange?.();
  }
}

const globals = { WebSocket: FakeSocket, RTCPeerConnection: FakePeer, MediaStream: class { addTrack() {} }, navigator: { onLine: true }, location: { hash: '', search: '', pathname: '/', host: 'home' } };
for (const [name, value] of Object.entries({ ...globals, localStorage: storage(), sessionStorage: storage() })) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
localStorage.setItem('intercom.key', KEY);
const { visit } = await page('visit.js');
const { Mail, Mailbox } = await page('mailbox.js');
globalThis.document = { visibilityState: 'visible' };

/** Lets time pass in the ticks of the visit; home answers pings and rebuilt connections come up. */
async function pass(ms, frames = 0) {
  for (let left = ms; left > 0; left -= 250) {
    now += 250;
    mock.timers.tick(250);
    if (frames) visit.presented(frames);
    for (const socket of sockets) if (socket.sent.at(-1)?.type === 'ping') socket.say({ type: 'pong' });
    await Promise.resolve();
  }
}
const settle = () => new Promise(setImmediate);
const sent = (type) => sockets.flatMap((socket) => socket.sent).filter((message) => message.type === type);
const last = () => sockets.at(-1);
const WELCOME = { type: 'welcome', session: 'token', resumed: false, home: 'Home', camera: 'live' };

async function welcomed(more) {
  visit.start();
  await settle();
  last().onopen();
  last().say({ ...WELCOME, ...more });
  peers.at(-1).connects();
  await pass(500);
}

beforeEach(() => {
  now = 1000;
  sockets = [];
  peers = [];
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  mock.method(performance, 'now', () => now);
  mock.method(performance, 'mark', () => {});
  mock.method(console, 'warn', () => {});
});
afterEach(() => {
  visit.suspend();
  mock.timers.reset();
  mock.restoreAll();
});

test('a home that says nothing of entry lets everybody in, as family', async () => {
  await welcomed({});
  assert.equal(visit.view().state, 'connecting');
  await pass(500, 8);
  const { state, role, entry, covered } = visit.view();
  assert.deepEqual([state, role, entry, covered], ['live', 'family', 'inside', false]);
});

test('whoever knocks misses no picture: no keyframe is asked for and nothing is built anew, however long it takes', async () => {
  await welcomed({ role: 'guest', entry: { state: 'knock', left_ms: 60000 } });
  assert.equal(visit.view().state, 'knock');
  await pass(120000);
  assert.deepEqual([sent('keyframe').length, peers.length, sockets.length], [0, 1, 1]);
  const { state, stuck, thin, barred } = visit.view();
  assert.deepEqual([state, stuck, thin, barred], ['knock', false, false, false]);

  last().say({ type: 'entry', entry: { state: 'inside' } });
  assert.deepEqual([visit.view().state, visit.view().covered], ['connecting', true], 'nothing from before may be seen yet');
  await pass(500, 8);
  assert.deepEqual([visit.view().state, visit.view().covered], ['live', false]);
  // And from now on a picture that stays away is looked for.
  await pass(3000);
  assert.equal(sent('keyframe').length, 1);
});

test('behind the curtain there is no last picture, and when it is lifted only a new one counts', async () => {
  await welcomed({});
  await pass(1000, 8);
  last().say({ type: 'curtain', drawn: true });
  const drawn = visit.view();
  assert.deepEqual([drawn.state, drawn.covered, drawn.talks], ['curtain', true, true]);
  // One that was on its way.
  visit.presented(1);
  await pass(90000);
  assert.deepEqual([visit.view().state, visit.view().covered], ['curtain', true]);
  assert.deepEqual([sent('keyframe').length, peers.length], [0, 1]);
  last().say({ type: 'curtain', drawn: false });
  await pass(250);
  assert.deepEqual([visit.view().state, visit.view().covered], ['connecting', true]);
  await pass(250, 8);
  assert.deepEqual([visit.view().state, visit.view().covered], ['live', false]);
});

test('a curtain that was drawn before is there from the first word on', async () => {
  await welcomed({ curtain: true });
  assert.deepEqual([visit.view().state, visit.view().covered], ['curtain', true]);
});

test('single pictures stop at the curtain, too', async () => {
  await welcomed({});
  last().say({ type: 'curtain', drawn: true });
  last().say({ type: 'snapshot', jpeg: 'AAAA' });
  await pass(20000);
  assert.deepEqual([visit.view().snapshot, sent('snapshot').length], [null, 0]);
});

test('a home that an owner names anew is called so at once', async () => {
  await welcomed({});
  last().say({ type: 'name', home: 'Oma' });
  assert.equal(visit.view().home, 'Oma');
  for (const none of [null, undefined, '', ' ', 7]) {
    last().say({ type: 'name', home: none });
    assert.equal(visit.view().home, null, 'then the page has a word of its own');
  }
});

/** The socket stands, and no connection comes up: as in a network that blocks UDP. */
async function blocked(more) {
  visit.start();
  await settle();
  last().onopen();
  last().say({ ...WELCOME, ...more });
}

test('whoever knocks where no connection gets through is told so, and no longer once it does', async () => {
  await blocked({ role: 'guest', entry: { state: 'knock', left_ms: 60000 } });
  await pass(5000);
  assert.deepEqual([visit.view().state, visit.view().barred], ['knock', false], 'it may still come');
  await pass(3000);
  assert.deepEqual([visit.view().state, visit.view().barred], ['knock', true]);
  peers.at(-1).connects();
  await pass(250);
  assert.deepEqual([visit.view().state, visit.view().barred], ['knock', false]);
});

test('whom home sent away because nothing got through is told so while knocking again', async () => {
  await blocked({ role: 'guest', entry: { state: 'knock', left_ms: 60000 } });
  last().say({ type: 'bye', reason: 'no_media' });
  last().onclose?.();
  await pass(1000);
  assert.equal(visit.view().barred, true);
});

test('behind the curtain, too, a connection that cannot come is told', async () => {
  await blocked({ curtain: true });
  await pass(8000);
  assert.deepEqual([visit.view().state, visit.view().barred], ['connecting', true]);
});

test('while the preview lasts, the frosted picture is a picture', async () => {
  await welcomed({ entry: { state: 'preview', left_ms: 10000 } });
  await pass(500, 8);
  assert.deepEqual([visit.view().state, visit.view().entry], ['live', 'preview']);
  last().say({ type: 'entry', entry: { state: 'inside' } });
  assert.deepEqual([visit.view().state, visit.view().entry], ['live', 'inside']);
});

test('what this page does not know of entry keeps nobody out', async () => {
  await welcomed({ entry: { state: 'through-the-window' } });
  assert.equal(visit.view().entry, 'inside');
});

for (const [reason, state] of [['ended', 'ended'], ['declined', 'declined'], ['no_answer', 'no-answer'], ['resting', 'resting']]) {
  test(`after the farewell “${reason}” the page does not come back by itself`, async () => {
    await welcomed({ role: 'guest', entry: { state: 'knock', left_ms: 60000 } });
    last().say({ type: 'bye', reason, ...(reason === 'resting' && { until: 1790000000 }) });
    assert.deepEqual([visit.view().state, visit.view().ended, visit.view().until], [state, true, reason === 'resting' ? 1790000000 : null]);
    last().onclose?.();
    for (let round = 0; round < 5; round += 1) {
      visit.nudge();
      await pass(60000);
    }
    assert.deepEqual([sockets.length, peers.length], [1, 1]);
    assert.equal(visit.view().state, state);
    visit.start();
    assert.equal(sockets.length, 2, 'only where the person wants it');
  });
}

test('quiet hours may be the first that home says', async () => {
  visit.start();
  await settle();
  last().onopen();
  last().say({ type: 'bye', reason: 'resting', until: 1790000000 });
  await pass(60000);
  assert.deepEqual([visit.view().state, sockets.length], ['resting', 1]);
});

test('a socket that dies while knocking is opened again for the same knock', async () => {
  await welcomed({ entry: { state: 'knock', left_ms: 60000 } });
  last().onclose();
  assert.equal(visit.view().state, 'knock');
  await pass(1000);
  last().onopen();
  assert.equal(last().sent[0].resume, 'token');
  last().say({ ...WELCOME, resumed: true, entry: { state: 'knock', left_ms: 50000 } });
  assert.deepEqual([visit.view().state, peers.length], ['knock', 1]);
  last().onclose();
  await pass(7000);
  assert.equal(visit.view().state, 'offline', 'and when home stays away, the page says so');
});

test('each hello of a try names it, and a try ends when the page begins anew or home has ended the visit', async () => {
  const tries = () => sent('hello').map(({ attempt }) => attempt);
  visit.start();
  await settle();
  last().onopen();
  // The socket dies before home has answered: home may know of a visit, and the page does not.
  last().onclose();
  await pass(6000);
  last().onopen();
  last().say(WELCOME);
  last().onclose();
  await pass(6000);
  last().onopen();
  assert.deepEqual([tries().length, new Set(tries()).size, sent('hello').map(({ resume }) => resume)], [3, 1, [undefined, undefined, 'token']]);
  assert.match(tries()[0], /^[0-9a-f]{24}$/);
  last().say({ ...WELCOME, resumed: true });
  last().say({ type: 'bye', reason: 'no_media' });
  last().onclose?.();
  await pass(6000);
  last().onopen();
  visit.suspend();
  visit.start();
  await settle();
  last().onopen();
  assert.deepEqual([tries().length, new Set(tries()).size], [5, 3]);
});

test('what home says to owners is kept for whoever reads it, and said back only while home hears it', async () => {
  const told = [];
  assert.equal(visit.say({ type: 'people' }), false);
  await welcomed({ role: 'owner' });
  last().say({ type: 'door', knocks: [] });
  last().say({ type: 'people', people: [] });
  last().say({ type: 'not_done', request: null, person: 1, why: 'name' });
  last().say({ type: 'error', code: 'not_allowed', message: 'not for you', fatal: false });
  visit.mail.owners.open(({ type }) => told.push(type));
  assert.deepEqual(told.splice(0), ['welcome', 'door', 'people', 'not_done', 'not_allowed']);
  assert.equal(visit.say({ type: 'people' }), true);
  assert.equal(visit.view().role, 'owner');
  last().say({ type: 'door', knocks: [] });
  assert.deepEqual(told, ['door'], 'at once from then on');
});

test('home’s calls wait for their own reader, beside what owners read', () => {
  const mail = new Mail();
  const read = { owners: [], everybody: [] };
  const messages = [{ type: 'welcome' }, { type: 'call', left_ms: 60000 }, { type: 'visits', visits: [] }];
  assert.deepEqual(messages.map((message) => mail.post(message)), [true, true, true]);
  for (const reader of Object.keys(read)) mail[reader].open(({ type }) => read[reader].push(type));
  assert.deepEqual(read, { owners: ['welcome', 'visits'], everybody: ['welcome', 'call'] });
  assert.deepEqual([mail.post({ type: 'stream' }), mail.post({})], [false, false]);
});

test('an owner may make somebody an owner in mid-visit, or something less', async () => {
  await welcomed({ role: 'family' });
  last().say({ type: 'role', role: 'owner' });
  assert.equal(visit.view().role, 'owner');
  last().say({ type: 'role', role: 'guest' });
  assert.deepEqual([visit.view().role, visit.view().entry], ['guest', 'inside']);
});

test('what is kept for a reader who comes late begins with the newest welcome, and has a bound', () => {
  const mail = new Mailbox();
  for (const type of ['welcome', 'door', 'welcome', ...Array(100).fill('door')]) mail.post({ type });
  const read = [];
  mail.open(({ type }) => read.push(type));
  assert.deepEqual([read.length, read[0], read[1]], [Mailbox.ROOM, 'welcome', 'door']);
});
