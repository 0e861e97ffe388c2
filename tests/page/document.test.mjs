// The document against its content security policy, its words and its own references.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { test } from 'node:test';
import { page, webroot } from './webroot.mjs';

const { ENGLISH } = await page('english.js');
const words = await page('words.js');
const read = (name) => readFileSync(new URL(name, webroot), 'utf8');
const files = readdirSync(webroot);

test('nothing inline and nothing from elsewhere, so that the strict policy holds', () => {
  for (const name of files.filter((file) => file.endsWith('.html'))) {
    const html = read(name);
    assert.doesNotMatch(html, /\sstyle=|\son\w+=|<style|javascript:/i, name);
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/, name);
    // The empty icon asks for nothing.
    for (const [, address] of html.replace('<link rel="icon" href="data:,">', '').matchAll(/(?:src|href)="([^"#]+)"/g)) {
      assert.match(address, /^\//, `${name}: ${address}`);
      if (address !== '/' && address !== '/ca.crt') assert.ok(existsSync(new URL(`.${address}`, webroot)), address);
    }
  }
  for (const name of files.filter((file) => /\.(js|json|css|svg|webmanifest)$/.test(file))) {
    assert.doesNotMatch(read(name).replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\//, name);
  }
});

test('first light imports next to nothing and comes before all else; what asks for the rest comes last', () => {
  assert.deepEqual(read('first.js').match(/\bimport\b[^;]*\bfrom\b[^;]*/g), [
    "import { cameAt, orderCodecs, savesData } from './offered.js'",
    "import { beginAttempt, hello, random } from './greeting.js'",
    "import { Line } from './line.js'",
  ]);
  for (const name of ['greeting.js', 'line.js', 'offered.js']) assert.doesNotMatch(read(name), /\bimport\b[^;]*\bfrom\b/);
  const order = [...read('index.html').matchAll(/"part"|src="[^"]+"|[a-z]+\.css|<main/g)].map(([what]) => what);
  assert.deepEqual(order, ['"part"', '"part"', 'src="/first.js"', 'style.css', '<main', 'src="/parts.js"']);
});

test('a part finds its place in the document or in a part before it', () => {
  let before = read('index.html');
  for (const name of ['rest.html', 'owner.html']) {
    const part = read(name);
    for (const [, place] of part.matchAll(/data-into="([^"]+)"/g)) {
      const [, id, kind] = /^(?:#([\w-]+)|\.([\w-]+)|body)$/.exec(place);
      assert.ok(before.includes(id ? `id="${id}"` : kind ? `class="${kind}"` : '<body'), `${name}: ${place}`);
    }
    // Nothing of it would be put anywhere.
    const beside = part.replace(/<template[^]*?<\/template>/g, '').replace(/<link rel="stylesheet"[^>]*>|<script[^>]*><\/script>/g, '');
    assert.equal(beside.trim(), '', name);
    before += part;
  }
  const ids = [...before.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
});

test('every state has a title and a sentence of its own', () => {
  const view = { home: 'The barn', reason: null, stuck: false, thin: false, barred: false, restarting: false };
  const seen = new Set();
  for (const state of ['connecting', 'live', 'reconnecting', 'offline', 'full', 'wrong-link', 'blocked', 'left', 'revoked', 'tap', 'sound', 'knock', 'curtain', 'declined', 'no-answer', 'resting', 'ended']) {
    const { title, text } = words.stateWords({ ...view, state }, true);
    assert.ok(title && text.endsWith('.'), state);
    seen.add(text);
  }
  for (const reason of ['no-webrtc', 'version']) seen.add(words.stateWords({ ...view, state: 'unsupported', reason }, true).text);
  for (const reason of ['no-key', 'wrong-key', 'code']) seen.add(words.stateWords({ ...view, state: 'wrong-link', reason }, true).text);
  seen.add(words.stateWords({ ...view, state: 'sound', late: true }, true).text);
  seen.add(words.stateWords({ ...view, state: 'live', entry: 'preview' }, true).text);
  seen.add(words.stateWords({ ...view, state: 'curtain', soundOnly: true }, true).text);
  seen.add(words.stateWords({ ...view, state: 'knock', barred: true }, true).text);
  seen.add(words.stateWords({ ...view, state: 'resting', until: 1790000000 }, true).text);
  seen.add(words.stateWords({ ...view, state: 'offline' }, false).text);
  seen.add(words.stateWords({ ...view, state: 'reconnecting', restarting: true }, true).text);
  assert.equal(seen.size, 28);
});

test('no words send anybody to the browser that they use', () => {
  const view = { home: 'The barn', reason: null, stuck: false, thin: false, barred: false, restarting: false };
  for (const known of [{ state: 'sound', late: false }, { state: 'sound', late: true }, { state: 'unsupported', reason: 'no-webrtc' }]) {
    const { title, text } = words.stateWords({ ...view, ...known }, true);
    assert.doesNotMatch(title + text, /Chrom|Edge|Safari|Firefox/);
  }
});

test('the button behind a farewell says what it does', () => {
  const button = (state, entry) => words.returnWords({ state, entry });
  assert.equal(button('left', 'inside'), 'Come back');
  assert.deepEqual([button('no-answer', 'knock'), button('declined', 'knock')], ['Knock again', 'Knock again']);
  assert.deepEqual([button('declined', 'preview'), button('ended', 'inside')], ['Enter again', 'Enter again']);
  assert.equal(button('resting', 'inside'), 'Try again', 'whether there is to be a knock is not known yet');
});

test('a resting home says until when, in the time of whoever reads it', () => {
  const now = new Date(2026, 10, 30, 23, 0).getTime();
  const title = (until) => words.stateWords({ ...view, state: 'resting', until }, true, now).title;
  const view = { home: 'The barn' };
  const at = (day, hour) => new Date(2026, 10, day, hour, 0).getTime() / 1000;
  words.speak({}, 'en-GB');
  assert.equal(title(at(30, 23)), 'Home is resting until 23:00');
  assert.equal(title(at(31, 8)), 'Home is resting until Tuesday 08:00', 'tomorrow');
  for (const until of [null, undefined, 'soon', Infinity]) assert.equal(title(until), 'Home is resting');
  words.speak({});
});

test('a name in another script keeps to itself', () => {
  const { title } = words.stateWords({ home: '\u202eבית\u2069', state: 'knock' }, true);
  assert.equal(title, 'Knocking at \u2068בית\u2069 …');
});

test('whatever may happen to a device has a notice', () => {
  for (const kind of ['mic', 'cam']) {
    for (const state of ['on', 'off', 'ready', 'paused', 'lost', 'missing', 'busy']) assert.ok(ENGLISH[`note.${kind}-${state}`], `${kind}-${state}`);
  }
});

test('the question names what it turns on, and the way past it what goes on', () => {
  const { questionWords, declineWords, blockedWords } = words;
  assert.match(questionWords('both').title, /microphone and camera/);
  for (const [which, text] of [['mic', /hears you/], ['cam', /sees you/]]) assert.match(questionWords(which).text, text);
  for (const text of Object.values(questionWords('mic'))) assert.doesNotMatch(text, /camera|picture|sees/);
  const decline = (later, soundOnly) => declineWords({ later, soundOnly });
  assert.deepEqual([decline(false, false), decline(false, true), decline(true, false)], ['Just watch', 'Just listen', 'Not now']);
  assert.match(blockedWords('camera', 'chrome').text, /To be seen:/);
  assert.match(blockedWords('microphone', 'chrome', true).text, /still hear home. To be heard:/);
});

test('the way to unblock fits the browser', () => {
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15';
  assert.equal(words.browserKind(mac, 0), 'safari');
  assert.equal(words.browserKind(mac, 5), 'ios-safari');
  assert.equal(words.browserKind('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/130.0 Mobile Safari/604.1'), 'ios-other');
  assert.equal(words.browserKind('Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36'), 'android-chrome');
  assert.equal(words.browserKind('Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0'), 'firefox');
  for (const devices of ['microphone', 'camera', 'both']) assert.ok(words.blockedWords(devices, 'ios-safari').steps.every(Boolean));
});
