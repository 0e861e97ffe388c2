// H.264 that comes late: when it is looked for, and what counts as found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

const { LateCodec } = await page('codec.js');

let has = false;
globalThis.RTCPeerConnection = class {
  addTransceiver() {}
  close() {}
  async createOffer() {
    const h264 = 'a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1\r\n';
    return { sdp: `m=video 9 UDP/TLS/RTP/SAVPF 102\r\n${has ? h264 : 'a=rtpmap:102 VP8/90000\r\n'}` };
  }
};

/** Steps for `seconds`; gives the times in s at which a connection was to be built, where `build(at)` says whether it was. */
async function run(codec, seconds, build) {
  const asked = [];
  for (let at = 0; at <= seconds; at += 0.25) {
    codec.step(at * 1000, () => {
      asked.push(at);
      return build(at);
    });
    await new Promise(setImmediate);
  }
  return asked;
}

test('what comes late is used once it is there', async () => {
  const codec = new LateCodec();
  has = false;
  assert.deepEqual(await run(codec, 30, () => true), []);
  assert.equal(codec.isLate, true);
  codec.reset();
  has = true;
  // Home answers with sound alone all the same: that is tried three times.
  assert.equal((await run(codec, 300, () => true)).length, 3);
});

test('a connection that could not be built is neither counted nor put off', async () => {
  const codec = new LateCodec();
  has = true;
  // The socket is down for 20 s.
  const asked = await run(codec, 300, (at) => at > 20);
  const [first, second] = asked.filter((at) => at > 20);
  assert.ok(first < 22 && second !== undefined, `${asked}`);
  assert.equal(asked.filter((at) => at > 20).length, 3, 'all three are still there');
  assert.equal(asked[0], 1);
});
