// Single pictures where a browser cannot show video: how often they are asked for, and for how long one counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { Snapshots } = await page('snapshots.js');

const RUNS = { soundOnly: true, media: 'connected', signaling: true, visible: true };

/** When it asks within so many ms, if a picture takes `took` ms to come; with null none ever comes. */
function asks(took, within, snapshots = new Snapshots()) {
  const times = [];
  let due = null;
  for (let now = 0; now < within; now += 50) {
    if (due !== null && now >= due) {
      snapshots.came('AAAA', now);
      due = null;
    }
    if (snapshots.step(RUNS, now)) {
      times.push(now);
      due = took === null ? null : now + took;
    }
  }
  return times;
}

test('a picture comes about every second, and more seldom the longer it takes', () => {
  assert.deepEqual(asks(50, 3300), [0, 1050, 2100, 3150]);
  assert.deepEqual(asks(1000, 12000), [0, 5000, 10000], 'a fifth of the time is the picture’s');
  assert.deepEqual(asks(9000, 100000), [0, 45000, 90000], 'on any path');
});

test('what the path does not carry is asked for more and more seldom', () => {
  assert.deepEqual(asks(null, 700000), [0, 100000, 280000, 600000], 'none ever comes');
  const late = new Snapshots();
  assert.equal(late.step(RUNS, 0), true);
  assert.equal(late.step(RUNS, 20000), false);
  late.came('AAAA', 25000);
  assert.ok(late.shown(25000), 'one that comes late is shown');
  assert.equal(late.step(RUNS, 99000), false, 'and the pause goes on');
});

test('a socket that dies over a picture is not asked for the next at once', () => {
  const snapshots = new Snapshots();
  assert.equal(snapshots.step(RUNS, 0), true);
  assert.equal(snapshots.step({ ...RUNS, signaling: false }, 6000), false);
  assert.equal(snapshots.step(RUNS, 7000), false);
  assert.equal(snapshots.step(RUNS, 85999), false);
  assert.equal(snapshots.step(RUNS, 86000), true);
  // A hidden page goes on measuring.
  snapshots.step({ ...RUNS, visible: false }, 87000);
  snapshots.came('AAAA', 89000);
  assert.equal(snapshots.step(RUNS, 100900), false);
  assert.equal(snapshots.step(RUNS, 101000), true);
});

test('nobody asks who has video, no connection, no socket or no eye on the page', () => {
  for (const lack of [{ soundOnly: false }, { media: 'disconnected' }, { signaling: false }, { visible: false }]) {
    const snapshots = new Snapshots();
    assert.equal(snapshots.step({ ...RUNS, ...lack }, 0), false, JSON.stringify(lack));
    assert.equal(snapshots.step(RUNS, 1), true, 'and at once when it is there');
  }
});

test('a picture counts for a minute, and not beside video', () => {
  const snapshots = new Snapshots();
  assert.equal(snapshots.shown(0), null);
  snapshots.step(RUNS, 0);
  snapshots.came('AAAA', 100);
  assert.equal(snapshots.shown(200), 'data:image/jpeg;base64,AAAA');
  snapshots.step({ ...RUNS, signaling: false }, 300);
  assert.ok(snapshots.shown(60000), 'a socket that is away takes no picture down');
  assert.equal(snapshots.shown(60200), null);
  snapshots.came('BBBB', 61000);
  snapshots.step({ ...RUNS, soundOnly: false }, 61100);
  assert.equal(snapshots.shown(61200), null);
});
