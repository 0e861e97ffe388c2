// The viewer's devices, where the browser gives them: what is on, and what the next visit knows of it.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { page } from './webroot.mjs';

let asked;

class Track {
  readyState = 'live';
  enabled = true;
  muted = false;
  constructor(kind) {
    this.kind = kind;
  }
  getSettings() {
    return {};
  }
  stop() {
    this.readyState = 'ended';
  }
}

const navigator = {
  mediaDevices: {
    getUserMedia: async (constraints) => {
      asked.push(Object.keys(constraints).sort().join('+'));
      const tracks = Object.keys(constraints).map((kind) => new Track(kind));
      return { getTracks: () => tracks };
    },
    enumerateDevices: async () => [{ kind: 'videoinput', deviceId: 'c', groupId: 'g' }],
  },
};
Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });

const { Media } = await page('media.js');
const { kept } = await page('first.js');

/** A page that has just been opened; it keeps what the one before it stored. */
function open() {
  const sent = {};
  const on = { track: (kind, track) => (sent[kind] = track), changed: () => {}, note: () => {}, blocked: () => {} };
  const media = new Media(on);
  return { media, sent };
}

const done = () => new Promise((resolve) => setTimeout(resolve, 5));

beforeEach(() => {
  asked = [];
  kept.remove('intercom.send');
});

test('a visit without a picture does not turn the camera of later visits off', async () => {
  const { media } = open();
  media.setSeen(false);
  await media.join({ cam: false });
  assert.deepEqual([media.mic, media.cam, asked], ['on', 'off', ['audio']]);
  assert.deepEqual(open().media.choice, { watch: false, cam: null }, 'nobody was asked for the camera');
  // The microphone off and on again is no word about the camera either.
  await media.toggle('mic');
  await media.toggle('mic');
  assert.equal(media.choice.cam, null);
  media.justWatch();
  assert.deepEqual(media.choice, { watch: true, cam: null });
});

test('a camera that nobody can see goes out, and comes on again when home can see it', async () => {
  const { media, sent } = open();
  await media.join();
  assert.deepEqual(media.choice, { watch: false, cam: true });
  const camera = sent.video;
  media.setSeen(false);
  await done();
  assert.deepEqual([media.cam, sent.video, camera.readyState, media.mic], ['off', null, 'ended', 'on']);
  assert.deepEqual(media.choice, { watch: false, cam: true }, 'the choice stays');
  media.refresh();
  await done();
  assert.equal(media.cam, 'off', 'nor does the page fetch it again');
  media.setSeen(true);
  await done();
  assert.deepEqual([media.cam, sent.video?.readyState], ['on', 'live']);
});

test('what the person turned off stays off', async () => {
  const { media } = open();
  await media.join();
  await media.toggle('cam');
  assert.deepEqual(media.choice, { watch: false, cam: false });
  media.setSeen(false);
  media.setSeen(true);
  await done();
  assert.equal(media.cam, 'off');
  // Nor does a later visit with sound alone forget it.
  const later = open().media;
  later.setSeen(false);
  await later.join({ cam: false });
  assert.deepEqual(later.choice, { watch: false, cam: false });
});

test('a visit that lets go of the camera meanwhile does not fetch it', async () => {
  const { media } = open();
  await media.join();
  media.setSeen(false);
  await done();
  media.stop();
  media.setSeen(true);
  await done();
  assert.equal(media.cam, 'off');
});

test('a microphone alone leaves the camera as it was chosen', async () => {
  await open().media.join();
  const { media } = open();
  await media.join({ cam: false });
  assert.deepEqual(media.choice, { watch: false, cam: true }, 'only that time the browser would have had to ask');
});
