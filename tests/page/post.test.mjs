// Signaling by POSTs alone, against a home of our own.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { page } from './webroot.mjs';

const { PostSocket } = await page('post.js');

let asked;
let heard;
let home;

const settle = () => new Promise(setImmediate);
const welcome = (more) => JSON.stringify({ type: 'welcome', session: 'token', resumed: true, home: 'Home', camera: 'live', muted: false, volume: null, role: 'family', entry: { state: 'inside' }, curtain: false, ...more });
const said = () => asked.filter(({ address }) => address === '/signal').map(({ body }) => body.split('\n').map(JSON.parse));
const types = (post) => post.map(({ type }) => type);

async function opened() {
  const socket = new PostSocket();
  socket.onopen = () => heard.push('open');
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  socket.onclose = () => heard.push('closed');
  await settle();
  return socket;
}
const say = (socket, ...messages) => messages.forEach((message) => socket.send(JSON.stringify(message)));

beforeEach(() => {
  asked = [];
  heard = [];
  home = [];
  globalThis.location = { origin: 'https://home:8443' };
  globalThis.fetch = async (address, options) => {
    asked.push({ address, ...options });
    if (address.startsWith('/origin?')) return { ok: true };
    const answer = home.length ? home.shift() : welcome();
    if (answer === null) throw new TypeError('no network');
    return { ok: typeof answer === 'string', text: async () => answer };
  };
});

test('it opens once home answers for its page, and not before', async () => {
  await opened();
  assert.deepEqual([heard, asked[0].address], [['open'], '/origin?https%3A%2F%2Fhome%3A8443']);
  heard = [];
  globalThis.fetch = async () => ({ ok: false });
  await opened();
  globalThis.fetch = async () => {
    throw new TypeError('no network');
  };
  await opened();
  assert.deepEqual(heard, ['closed', 'closed']);
});

test('what is said in one breath goes in one POST, and each later one says hello by itself', async () => {
  const socket = await opened();
  home = [`${welcome({ resumed: false })}\n{"type":"answer","pc":1}`, `${welcome()}\n{"type":"pong","t":1}`];
  say(socket, { type: 'hello', key: 'k' }, { type: 'offer' }, { type: 'candidate' });
  await settle();
  say(socket, { type: 'ping', t: 1 });
  await settle();
  assert.deepEqual(said().map(types), [['hello', 'offer', 'candidate'], ['hello', 'ping']]);
  assert.deepEqual([said()[0][0].resume, said()[1][0].resume], [undefined, 'token']);
  assert.deepEqual(heard.map(({ type }) => type ?? 'open'), ['open', 'welcome', 'answer', 'pong'], 'one welcome is enough');
});

test('what is said meanwhile waits its turn, and a heap goes in several', async () => {
  const socket = await opened();
  say(socket, { type: 'hello', key: 'k' });
  await Promise.resolve();
  for (let i = 0; i < 150; i += 1) say(socket, { type: 'candidate', candidate: String(i) });
  say(socket, { type: 'offer', sdp: 'x'.repeat(30000) });
  for (let i = 0; i < 9; i += 1) await settle();
  const posts = said();
  assert.ok(posts.every((post) => post.length <= 60 && post[0].type === 'hello' && JSON.stringify(post).length < 61000));
  const candidates = posts.flat().filter(({ type }) => type === 'candidate').map(({ candidate }) => Number(candidate));
  assert.deepEqual(candidates, [...Array(150).keys()], 'all of them, in order');
  assert.equal(types(posts.flat()).filter((type) => type === 'offer').length, 1);
});

test('what changed at home is heard with the next POST, and once', async () => {
  const socket = await opened();
  home = [welcome({ resumed: false }), welcome(), welcome({ muted: true, curtain: true }), welcome({ muted: true, curtain: true, home: 'Barn' })];
  say(socket, { type: 'hello', key: 'k' });
  await settle();
  for (let i = 0; i < 3; i += 1) {
    say(socket, { type: 'ping', t: i });
    await settle();
  }
  assert.deepEqual(heard.slice(2), [{ type: 'microphone', muted: true }, { type: 'curtain', drawn: true }, { type: 'name', home: 'Barn' }]);
});

test('a visit that is over at home, a home that is gone and one that takes no POST end it', async () => {
  for (const answer of [welcome({ resumed: false, session: 'other' }), null, 503, '']) {
    heard = [];
    const socket = await opened();
    home = [welcome({ resumed: false }), answer];
    say(socket, { type: 'hello', key: 'k' });
    await settle();
    say(socket, { type: 'ping', t: 1 });
    await settle();
    assert.deepEqual([heard.at(-1), heard.length, socket.readyState], ['closed', 3, 3], String(answer));
  }
});

test('the last word goes out behind a page that is left', async () => {
  const socket = await opened();
  say(socket, { type: 'hello', key: 'k' });
  await settle();
  say(socket, { type: 'leave' });
  socket.close();
  await settle();
  assert.deepEqual([types(said().at(-1)), asked.at(-1).keepalive, heard.includes('closed')], [['hello', 'leave'], true, false]);
});

test('a token is exchanged before there is a key', async () => {
  const socket = await opened();
  home = ['{"type":"paired","key":"k"}', welcome({ resumed: false })];
  say(socket, { type: 'pair', token: 't' });
  await settle();
  assert.deepEqual([types(said()[0]), heard[1].type], [['pair'], 'paired']);
  say(socket, { type: 'hello', key: 'k' }, { type: 'offer' });
  await settle();
  assert.deepEqual(types(said()[1]), ['hello', 'offer']);
});
