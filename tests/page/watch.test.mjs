// The black picture's own watch, and the grade of the connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { PictureWatch, gradeQuality, readArrivals, readStats } = await page('watch.js');

/** Steps a watch every 250 ms for `seconds`; a rebuilt connection stands again after half a second. */
function run(watch, seconds, facts) {
  const wishes = [];
  let downUntil = -1;
  for (let now = 0; now <= seconds * 1000; now += 250) {
    const wish = watch.step({ frames: 0, connected: now >= downUntil, visible: true, signaling: true, ...facts(now / 1000) }, now);
    if (wish) wishes.push(`${wish}@${now / 1000}`);
    if (wish === 'rebuild') {
      watch.begin();
      downUntil = now + 500;
    }
  }
  return wishes;
}

test('black for two seconds asks for a keyframe, then rebuilds, then says so and takes its time', () => {
  const watch = new PictureWatch();
  const wishes = run(watch, 20, () => ({}));
  assert.deepEqual(wishes, ['keyframe@2', 'rebuild@4', 'keyframe@6.5', 'rebuild@10.5', 'keyframe@13']);
  assert.equal(watch.stuck, true);
});

test('words come only after a rebuilt connection stayed black too', () => {
  const watch = new PictureWatch();
  run(watch, 6.5, () => ({}));
  assert.equal(watch.stuck, false);
});

test('a connection that brings something is not torn down for bringing little', () => {
  const watch = new PictureWatch();
  const wishes = run(watch, 40, (s) => {
    watch.arrived({ packets: Math.floor(s * 50), whole: 1 }, s * 1000);
    return {};
  });
  assert.deepEqual(wishes, ['keyframe@2', 'keyframe@4', 'keyframe@8', 'keyframe@16', 'keyframe@32']);
  assert.equal(watch.thin, true);
  watch.step({ frames: 1, connected: true, visible: true, signaling: true }, 41000);
  assert.equal(watch.thin, false);
  // What was shown before it stalled does not count against it.
  const later = new PictureWatch();
  const moved = run(later, 30, (s) => {
    const frames = Math.min(Math.floor(s), 10) * 10;
    if (later.waits(s * 1000)) later.arrived({ packets: Math.floor(s * 50), whole: frames + 1 }, s * 1000);
    return { frames };
  });
  assert.ok(moved.length > 2 && moved.every((wish) => wish.startsWith('keyframe')), moved.join(' '));
});

test('whole frames that are never shown, and packets that stopped, are mended by a new connection', () => {
  const frames = new PictureWatch();
  assert.ok(run(frames, 10, (s) => (frames.arrived({ packets: s * 50, whole: s * 30 }, s * 1000), {})).includes('rebuild@4'));
  const dry = new PictureWatch();
  const wishes = run(dry, 20, (s) => (dry.arrived({ packets: Math.min(s, 5) * 50, whole: 0 }, s * 1000), {}));
  assert.deepEqual(wishes, ['keyframe@2', 'keyframe@4', 'rebuild@8', 'keyframe@10.5', 'rebuild@18.5']);
  assert.equal(dry.thin, false);
});

test('a moving picture needs nothing, and one that moves again is forgiven', () => {
  const watch = new PictureWatch();
  assert.deepEqual(run(watch, 10, (s) => ({ frames: Math.floor(s * 30) })), []);
  const stuck = new PictureWatch();
  run(stuck, 15, () => ({}));
  stuck.step({ frames: 1, connected: true, visible: true, signaling: true }, 16000);
  assert.equal(stuck.stuck, false);
});

test('a hidden page, a connection that is not up and a dead socket do not count', () => {
  assert.deepEqual(run(new PictureWatch(), 10, () => ({ visible: false })), []);
  assert.deepEqual(run(new PictureWatch(), 10, () => ({ connected: false })), []);
  assert.deepEqual(run(new PictureWatch(), 10, () => ({ signaling: false })), []);
  assert.deepEqual(run(new PictureWatch(), 10, (s) => ({ visible: s > 5 })), ['keyframe@7.25', 'rebuild@9.25']);
});

test('where home sends no picture on purpose none is missing, and what was said before is taken back', () => {
  assert.deepEqual(run(new PictureWatch(), 300, () => ({ expected: false })), []);
  const watch = new PictureWatch();
  run(watch, 20, () => ({}));
  watch.step({ frames: 0, connected: true, visible: true, signaling: true, expected: false }, 20250);
  assert.deepEqual([watch.stuck, watch.thin], [false, false]);
  assert.deepEqual(run(new PictureWatch(), 10, (s) => ({ expected: s > 5 })), ['keyframe@7.25', 'rebuild@9.25']);
});

test('the grade follows loss, rate, distance and home’s own word', () => {
  const before = { lost: 0, received: 0, frames: 0, freezes: 0, roundTripMs: 20 };
  const grade = (changes, reduced = false) =>
    gradeQuality({ before, after: { lost: 0, received: 500, frames: 60, freezes: 0, roundTripMs: 20, ...changes }, seconds: 2, reduced });
  assert.equal(grade({}), 'good');
  assert.equal(grade({}, true), 'weak');
  assert.equal(grade({ lost: 20 }), 'weak');
  assert.equal(grade({ lost: 80 }), 'poor');
  assert.equal(grade({ frames: 16 }), 'weak');
  assert.equal(grade({ frames: 4 }), 'poor');
  assert.equal(grade({ roundTripMs: 400 }), 'weak');
  assert.equal(grade({ freezes: 1 }), 'weak');
  assert.equal(grade({ frames: null, freezes: null, roundTripMs: null }), 'good');
});

test('statistics of any browser are read without a stumble', () => {
  const report = new Map([
    ['v', { type: 'inbound-rtp', kind: 'video', packetsLost: 2, packetsReceived: 100, framesDecoded: 30 }],
    ['a', { type: 'inbound-rtp', kind: 'audio', packetsReceived: 50 }],
    ['p', { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.025 }],
    ['o', { type: 'outbound-rtp' }],
  ]);
  assert.deepEqual(readStats(report), { lost: 2, received: 150, frames: 30, freezes: null, roundTripMs: 25 });
  assert.deepEqual(readArrivals(report), { packets: 150, whole: 30 });
  assert.deepEqual(readArrivals(new Map()), { packets: 0, whole: 0 });
  assert.deepEqual(readStats(new Map()), { lost: 0, received: 0, frames: null, freezes: null, roundTripMs: null });
});
