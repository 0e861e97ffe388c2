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
  assert.deepEqual(asks(null, 700000), [0, 60000, 168000, 372000, 684000], 'none ever comes');
  const late = new Snapshots();
  assert.equal(late.step(RUNS, 0), true);
  assert.equal(late.step(RUNS, 12000), false);
  late.came('AAAA', 15000);
  assert.ok(late.shown(15000), 'one that comes late is shown');
  assert.equal(late.step(RUNS, 59900), false, 'and the pause goes on');
  assert.equal(late.step(RUNS, 60000), true);
});

test('a socket that dies over a picture is not asked for the next at once', () => {
  const snapshots = new Snapshots();
  assert.equal(snapshots.step(RUNS, 0), true);
  assert.equal(snapshots.step({ ...RUNS, signaling: false }, 6000), false);
  assert.equal(snapshots.step(RUNS, 7000), false);
  assert.equal(snapshots.step(RUNS, 53999), false);
  assert.equal(snapshots.step(RUNS, 54000), true);
});

test('a page that slept and a home that restarts say nothing of the path', () => {
  const asleep = new Snapshots();
  assert.equal(asleep.step(RUNS, 0), true);
  asleep.step({ ...RUNS, visible: false }, 1000);
  asleep.came('AAAA', 9000);
  assert.deepEqual([asleep.step(RUNS, 9999), asleep.step(RUNS, 10000)], [false, true], 'its pause is the shortest');
  asleep.step({ ...RUNS, visible: false }, 11000);
  assert.equal(asleep.step(RUNS, 41000), true, 'what is lost is forgotten');
  asleep.came('AAAA', 44000);
  assert.deepEqual([asleep.step(RUNS, 55999), asleep.step(RUNS, 56000)], [false, true], 'and the next one is a measure again');
  const restarted = new Snapshots();
  restarted.step(RUNS, 0);
  restarted.step({ ...RUNS, restarting: true }, 100);
  restarted.step({ ...RUNS, restarting: true, signaling: false }, 350);
  assert.equal(restarted.step(RUNS, 3000), true, 'asked again as soon as home is back');
});

test('on every path the next picture comes before the last is stale, or none is shown for long', () => {
  for (const took of [100, 3000, 9000, 11900]) {
    const snapshots = new Snapshots();
    let gaps = 0;
    let due = null;
    for (let now = 0; now < 600000; now += 50) {
      if (due !== null && now >= due) {
        snapshots.came('AAAA', now);
        due = null;
      }
      if (snapshots.step(RUNS, now)) due = now + took;
      if (now > took + 50 && !snapshots.shown(now)) gaps += 1;
    }
    assert.equal(gaps, 0, `${took} ms`);
  }
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
