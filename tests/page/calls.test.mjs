// Home's calls without a browser: when a page rings, what it tells home, how the ring sounds, and what of it stays to be read.
process.env.TZ = 'Europe/Berlin';
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { page } from './webroot.mjs';

const { Calls } = await page('calls.js');
const { Ring, ringSamples, shakes } = await page('ring.js');
const { missedWords } = await page('callwords.js');
const { callTitle, setTitle } = await page('title.js');
const words = await page('words.js');

const ANSWER = [{ type: 'answer' }];

/** A page that rings since 0 for a minute. */
function ringing() {
  const calls = new Calls();
  calls.hear({ type: 'welcome', resumed: false }, 0);
  calls.hear({ type: 'call', left_ms: 60000 }, 0);
  return calls;
}

afterEach(() => words.speak({}));

test('a call rings until its time is over, until home ends it, or until the visit ends', () => {
  const calls = ringing();
  assert.deepEqual([calls.left(0), calls.left(59000), calls.left(60000)], [60000, 1000, 0]);
  assert.deepEqual(calls.due(1000), [], 'ringing is no answer');
  for (const end of [(one) => one.hear({ type: 'call_over' }, 10), (one) => one.end()]) {
    const other = ringing();
    end(other);
    assert.equal(other.left(20), 0);
  }
});

test('an answer is told once, and stops the ring at once', () => {
  const calls = ringing();
  calls.answer();
  assert.deepEqual([calls.due(1000), calls.left(1000), calls.due(1100)], [ANSWER, 0, []]);
});

test('an answer that a dying socket lost is told again, without a second ring', () => {
  const calls = ringing();
  calls.answer();
  calls.due(1000);
  calls.hear({ type: 'welcome', resumed: true }, 5000);
  assert.deepEqual(calls.due(5000), [], 'home may have heard it');
  calls.hear({ type: 'call', left_ms: 55000 }, 5001);
  assert.deepEqual([calls.left(5001), calls.due(5001)], [0, ANSWER]);
});

test('a page that comes back rings on where home still calls, and only there', () => {
  const calls = ringing();
  calls.hear({ type: 'welcome', resumed: true }, 9000);
  assert.equal(calls.left(9000) > 0, true, 'no gap in the ring while home says it again');
  assert.equal(calls.left(12000), 0);
  calls.hear({ type: 'welcome', resumed: true }, 13000);
  calls.hear({ type: 'call', left_ms: 40000 }, 13001);
  assert.equal(calls.left(14001), 39000);
});

test('whoever does not answer now is not rung again for this call, but for the next', () => {
  const calls = ringing();
  calls.silence();
  calls.hear({ type: 'welcome', resumed: true }, 1000);
  calls.hear({ type: 'call', left_ms: 58000 }, 1001);
  assert.deepEqual([calls.left(1001), calls.due(1001)], [0, []]);
  calls.hear({ type: 'call_over' }, 2000);
  calls.hear({ type: 'call', left_ms: 60000 }, 3000);
  assert.equal(calls.left(3000), 60000);
});

test('an answer belongs to its call: the next one rings', () => {
  const calls = ringing();
  calls.answer();
  calls.due(0);
  calls.hear({ type: 'call_over' }, 100);
  calls.hear({ type: 'call', left_ms: 60000 }, 5000);
  assert.deepEqual([calls.left(5000), calls.due(5000)], [60000, []]);
});

test('what is no time rings for none, and none rings for ever', () => {
  for (const left_ms of [undefined, null, 'long', NaN, -5]) {
    const calls = new Calls();
    calls.hear({ type: 'call', left_ms }, 0);
    assert.equal(calls.left(0), 0);
  }
  const calls = new Calls();
  calls.hear({ type: 'call', left_ms: 1e12 }, 0);
  assert.equal(calls.left(Calls.LONGEST_MS), 0);
});

test('a missed call stays until it is read, over all sockets', () => {
  const calls = new Calls();
  calls.hear({ type: 'missed_call', at: 1790000000 }, 0);
  calls.hear({ type: 'welcome', resumed: false }, 10);
  assert.equal(calls.missed, 1790000000);
  calls.readMissed();
  assert.equal(calls.missed, null);
  calls.hear({ type: 'missed_call', at: 'yesterday' }, 20);
  assert.equal(calls.missed, null);
});

test('quiet hours are said until they end or are read, and the next ones are said again', () => {
  const calls = new Calls();
  calls.hear({ type: 'quiet_hours', until: 2000 }, 0);
  assert.deepEqual([calls.quiet(1999), calls.quiet(2000)], [2000, null]);
  calls.readQuiet();
  calls.hear({ type: 'welcome', resumed: true }, 10);
  calls.hear({ type: 'quiet_hours', until: 2000 }, 11);
  assert.equal(calls.quiet(1000), null, 'said again on each socket, read once');
  calls.hear({ type: 'quiet_hours', until: 90000 }, 12);
  assert.equal(calls.quiet(1000), 90000);
  calls.hear({ type: 'quiet_hours', until: null }, 13);
  assert.equal(calls.quiet(1000), null);
});

test('a missed call says when, with the day where it was not today', () => {
  const now = new Date('2026-11-30T15:00').getTime();
  const missed = (text) => missedWords(new Date(text).getTime() / 1000, now);
  words.speak({}, 'en-GB');
  assert.equal(missed('2026-11-30T14:05'), 'Home called at 14:05');
  assert.equal(missed('2026-11-29T23:59'), 'Home called on Sunday at 23:59');
  assert.equal(missed('2026-11-23T14:05'), 'Home called on 23 November at 14:05', 'a week ago the weekday would be today’s');
});

test('in the title of a hidden tab a call counts more than a knock, and afterwards all is as it was', () => {
  globalThis.document = { title: '' };
  const title = () => document.title;
  setTitle('Home');
  callTitle('door', 'Anna knocks');
  callTitle('call', 'Home is calling');
  assert.equal(title(), 'Home is calling');
  callTitle('call', null);
  assert.equal(title(), 'Anna knocks');
  callTitle('door', null);
  assert.equal(title(), 'Home');
  delete globalThis.document;
});

test('the ring is loud without clipping, and its loop does not click', () => {
  const samples = ringSamples(48000);
  const loudest = samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  assert.ok(loudest > 0.5 && loudest < 0.9, `${loudest}`);
  const strength = (from, to) => Math.sqrt(samples.slice(from * 48000, to * 48000).reduce((sum, one) => sum + one * one, 0) / ((to - from) * 48000));
  assert.ok(strength(0, 1.7) > 0.1, 'well above a voice in a room');
  assert.ok(strength(2.6, 3.2) < strength(0, 1.7) / 10, 'and then a pause');
  assert.ok(Math.abs(samples[0]) < 0.01 && Math.abs(samples.at(-1)) < 0.01);
});

test('a phone shakes as long as it rings, and not longer than a minute and a half', () => {
  const length = (left_ms) => shakes(left_ms).reduce((all, one) => all + one, 0);
  assert.deepEqual([length(60000) >= 60000, length(60000) < 64000, length(1e9) <= 96000], [true, true, true]);
});

test('a browser without sound of its own, or one that refuses it, fails without a word to the person', () => {
  const ring = new Ring();
  const warn = console.warn;
  console.warn = () => {};
  ring.start(60000);
  ring.allow();
  ring.stop();
  console.warn = warn;
});
