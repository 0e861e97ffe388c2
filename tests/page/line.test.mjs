// The words that go ahead in a POST, against a socket and a home of our own.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { page } from './webroot.mjs';

const { Line } = await page('line.js');

let sockets;
let posts;
let heard;

class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];
  constructor() {
    sockets.push(this);
  }
  send(text) {
    this.sent.push(text);
  }
  close() {
    this.readyState = 2;
  }
  opens() {
    this.readyState = 1;
    this.onopen();
  }
  closes() {
    this.readyState = 3;
    this.onclose();
  }
}

const settle = () => new Promise(setImmediate);
const WELCOME = '{"type":"welcome","session":"token"}';
const ANSWER = '{"type":"answer","pc":1}';

/** A line whose POST is on its way; what happens to it is in `heard`. */
function open() {
  const line = new Line('wss://home/signal');
  line.onopen = () => heard.push(`open ${line.session}`);
  line.onmessage = ({ data }) => heard.push(data);
  line.onclose = () => heard.push('closed');
  line.post([{ type: 'hello' }, { type: 'offer' }]);
  return line;
}
const answers = (text, ok = true) => posts.at(-1).resolve({ ok, text: async () => text });

beforeEach(() => {
  sockets = [];
  posts = [];
  heard = [];
  globalThis.WebSocket = FakeSocket;
  globalThis.fetch = (address, options) =>
    new Promise((resolve, reject) => {
      options.signal.addEventListener('abort', () => reject(new Error('aborted')));
      posts.push({ address, ...options, resolve, reject });
    });
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => mock.timers.reset());

test('home answers before the socket opens, which then knows the visit', async () => {
  const line = open();
  assert.deepEqual([posts[0].address, posts[0].method, posts[0].body], ['/signal', 'POST', '{"type":"hello"}\n{"type":"offer"}']);
  answers(`${WELCOME}\n${ANSWER}`);
  await settle();
  assert.deepEqual([heard, line.readyState], [[WELCOME, ANSWER], 0]);
  sockets[0].opens();
  assert.deepEqual([heard[2], line.readyState], ['open token', 1]);
  sockets[0].onmessage({ data: 'more' });
  line.send('word');
  assert.deepEqual([heard[3], sockets[0].sent], ['more', ['word']]);
});

test('a socket that is faster waits for the answer, but not for one that never comes', async () => {
  const line = open();
  sockets[0].opens();
  assert.deepEqual([heard, line.readyState], [[], 0]);
  answers(WELCOME);
  await settle();
  assert.deepEqual(heard, [WELCOME, 'open token']);

  heard = [];
  open();
  sockets[1].opens();
  mock.timers.tick(3000);
  assert.deepEqual(heard, ['open null']);
  answers(WELCOME);
  await settle();
  assert.deepEqual(heard, ['open null'], 'too late: the socket has begun a visit of its own');
});

test('a POST that fails, or a home that takes none, leaves the socket as it would be', async () => {
  open();
  answers('', false);
  await settle();
  sockets[0].opens();
  assert.deepEqual(heard, ['open null']);
  heard = [];
  open();
  posts.at(-1).reject(new Error('no network'));
  await settle();
  sockets[1].closes();
  assert.deepEqual(heard, ['closed']);
});

test('where the socket is refused the answer still comes, and then the end', async () => {
  const line = open();
  sockets[0].closes();
  assert.deepEqual([heard, line.readyState], [[], 0]);
  answers(`${WELCOME}\n${ANSWER}`);
  await settle();
  assert.deepEqual([heard, line.readyState], [[WELCOME, ANSWER, 'closed'], 3]);
});

test('whom home refuses for them it hears no hello a second time', async () => {
  open();
  sockets[0].opens();
  const wrong = '{"type":"error","code":"wrong_key"}';
  answers(wrong);
  await settle();
  assert.deepEqual([heard[0], heard.includes('open null'), sockets[0].readyState], [wrong, false, 2]);
});

test('a line that is closed says nothing any more', async () => {
  const line = open();
  line.close();
  answers(WELCOME);
  await settle();
  assert.deepEqual([heard, posts[0].signal.aborted, sockets[0].readyState], [[], true, 2]);
});

test('a page that has nothing to say ahead does not wait', () => {
  const line = new Line('wss://home/signal');
  line.onopen = () => heard.push('open');
  sockets[0].opens();
  line.release();
  assert.deepEqual([heard, line.readyState], [['open'], 1]);
});

test('whoever goes on with a line waits for words that are on their way, and for no others', async () => {
  const line = new Line('wss://home/signal');
  line.onopen = () => heard.push('open');
  sockets[0].opens();
  line.handOver();
  assert.deepEqual(heard, ['open'], 'the offer is late');

  heard = [];
  const other = open();
  sockets[1].opens();
  other.handOver();
  assert.deepEqual(heard, []);
  answers(WELCOME);
  await settle();
  assert.deepEqual(heard, [WELCOME, 'open token']);
});
