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
  assert.deepEqual(asks(9000, 60000), [0, 29000, 58000], 'never more than 20 s of rest');
});

test('one that got lost is asked for again', () => {
  assert.deepEqual(asks(null, 25000), [0, 10000, 20000]);
});

test('nobody asks who has video, no connection, no socket or no eye on the page', () => {
  for (const lack of [{ soundOnly: false }, { media: 'disconnected' }, { signaling: false }, { visible: false }]) {
    const snapshots = new Snapshots();
    assert.equal(snapshots.step({ ...RUNS, ...lack }, 0), false, JSON.stringify(lack));
    assert.equal(snapshots.step(RUNS, 1), true, 'and at once when it is there');
  }
});

test('a picture counts for half a minute, and not beside video', () => {
  const snapshots = new Snapshots();
  assert.equal(snapshots.shown(0), null);
  snapshots.step(RUNS, 0);
  snapshots.came('AAAA', 100);
  assert.equal(snapshots.shown(200), 'data:image/jpeg;base64,AAAA');
  snapshots.step({ ...RUNS, signaling: false }, 300);
  assert.ok(snapshots.shown(30000), 'a socket that is away takes no picture down');
  assert.equal(snapshots.shown(30200), null);
  snapshots.came('BBBB', 31000);
  snapshots.step({ ...RUNS, soundOnly: false }, 31100);
  assert.equal(snapshots.shown(31200), null);
});
