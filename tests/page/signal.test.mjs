// The signaling socket against a socket of our own and a clock that jumps.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { page } from './webroot.mjs';

const { Signal } = await page('signal.js');

let now;
let sockets;
let events;
let signal;

class FakeSocket {
  static OPEN = 1;
  constructor(url) {
    this.url = url;
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

/** Lets time pass in small steps, as timers see it. */
function pass(ms) {
  for (let left = ms; left > 0; left -= 50) {
    now += Math.min(50, left);
    mock.timers.tick(Math.min(50, left));
  }
}
const last = () => sockets.at(-1);

beforeEach(() => {
  now = 1000;
  sockets = [];
  events = [];
  globalThis.WebSocket = FakeSocket;
  mock.timers.enable({ apis: ['setTimeout'] });
  mock.method(performance, 'now', () => now);
  mock.method(console, 'warn', () => {});
  signal = new Signal('wss://home/signal', {
    opened: () => events.push('opened'),
    message: (message) => events.push(message.type),
    closed: ({ opened, quick }) => events.push(`closed ${opened} ${quick}`),
  });
  signal.start();
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test('it opens at once, and again by itself after each death', () => {
  assert.equal(sockets.length, 1);
  last().onopen();
  assert.equal(signal.send({ type: 'leave' }), true);
  last().onclose();
  assert.deepEqual(events, ['opened', 'closed true false']);
  assert.equal(signal.send({ type: 'leave' }), false);
  pass(300);
  assert.equal(sockets.length, 2);
});

test('a pong that is late ends the socket, one that is in time does not', () => {
  last().onopen();
  pass(5000);
  assert.deepEqual(last().sent.map(({ type }) => type), ['ping']);
  last().say({ type: 'pong', t: last().sent[0].t });
  pass(9900);
  assert.equal(sockets.length, 1);
  pass(600);
  assert.equal(sockets.length, 2);
  assert.equal(sockets[0].closed, true);
});

test('after a sleep the socket is asked before it is believed dead', () => {
  last().onopen();
  pass(5000);
  // The page slept for a minute while a pong was due; the pong waits behind the timer.
  now += 60000;
  mock.timers.tick(5000);
  assert.equal(sockets[0].closed, undefined);
  assert.equal(last().sent.at(-1).type, 'ping');
  last().say({ type: 'pong', t: 0 });
  pass(2500);
  assert.equal(sockets.length, 1);
});

test('back on the network it does not wait for its pause', () => {
  for (let i = 0; i < 6; i += 1) {
    last().onclose();
    if (i < 5) pass(5000);
  }
  const before = sockets.length;
  signal.nudge();
  assert.equal(sockets.length, before + 1);
});

test('a dial that hangs is given up', () => {
  pass(8000);
  assert.deepEqual(events, ['closed false false']);
  pass(300);
  assert.equal(sockets.length, 2);
});

test('home may say when to come again', () => {
  last().onopen();
  signal.retryIn(15000);
  pass(14900);
  assert.equal(sockets.length, 1);
  pass(200);
  assert.equal(sockets.length, 2);
});

test('nonsense from home harms nothing, and a stopped socket stays stopped', () => {
  last().onopen();
  last().onmessage({ data: '{' });
  last().onmessage({ data: 'null' });
  last().say({ type: 'welcome' });
  assert.deepEqual(events.slice(-1), ['welcome']);
  signal.stop();
  pass(60000);
  assert.equal(sockets.length, 1);
});

/** What stands in for a socket. */
class StandIn extends FakeSocket {}
const standsIn = () => last() instanceof StandIn;

function startInstead() {
  signal.stop();
  sockets = [];
  signal = new Signal(
    'wss://home/signal',
    {
      opened: () => events.push('opened'),
      message: (message) => events.push(message.type),
      closed: ({ opened, quick }) => events.push(`closed ${opened} ${quick}`),
    },
    () => new StandIn('instead'),
  );
  signal.start();
}

test('where no socket has ever opened, every other attempt is by what stands in for it', () => {
  startInstead();
  for (const expected of [false, true, false, true]) {
    assert.equal(standsIn(), expected);
    last().onclose();
    pass(5000);
  }
  assert.equal(events.filter((event) => event === 'closed false false').length + events.filter((event) => event === 'closed false true').length, 4);
});

test('what stands in for a socket makes way for one that comes after all', () => {
  startInstead();
  last().onclose();
  pass(300);
  const instead = last();
  instead.onopen();
  assert.deepEqual([standsIn(), signal.open, events.at(-1)], [true, true, 'opened']);
  for (const socket of [1, 2]) {
    for (let i = 0; i < 12; i += 1) {
      pass(2500);
      instead.say({ type: 'pong' });
    }
    assert.equal(sockets.length, 2 + socket, 'one is tried beside it');
    if (socket === 1) last().onclose();
  }
  assert.equal(events.at(-1), 'opened', 'which nobody is told of');
  const socket = last();
  socket.onopen();
  assert.deepEqual([instead.closed, signal.open, events.slice(-2)], [true, true, ['opened', 'opened']]);
  signal.send({ type: 'leave' });
  assert.equal(socket.sent.at(-1).type, 'leave');
  // From now on it is sockets alone.
  for (let i = 0; i < 4; i += 1) {
    last().onclose();
    pass(5000);
    assert.equal(standsIn(), false);
  }
});

test('a socket that is stopped tries none beside it', () => {
  startInstead();
  last().onclose();
  pass(300);
  last().onopen();
  signal.stop();
  pass(120000);
  assert.equal(sockets.length, 2);
});

test('words that came ahead of a socket count as home, although it never opens', () => {
  startInstead();
  signal.stop();
  const socket = new FakeSocket('adopted');
  signal.adopt(socket, ['{"type":"welcome"}'], []);
  assert.deepEqual([events, signal.open], [['welcome'], false]);
  socket.onclose();
  assert.equal(events.at(-1), 'closed true false');
  pass(300);
  assert.equal(standsIn(), true);
});
