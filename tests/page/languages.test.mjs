// The catalogues of the languages against the English one, and how the page comes to them.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { page, webroot } from './webroot.mjs';

const { ENGLISH } = await page('english.js');
const words = await page('words.js');
const { LANGUAGES, chooseLanguage, fetchWords, localeOf } = await page('languages.js');
const { parts } = await page('emphasis.js');
const read = (name) => readFileSync(new URL(name, webroot), 'utf8');
const files = readdirSync(webroot);
const tongues = LANGUAGES.map((name) => [name, read(`words-${name}.json`)]);
const catalogues = tongues.map(([name, text]) => [name, JSON.parse(text)]);

// Names and words that are the same everywhere, or nearly.
const SAME = ['trust.ios', 'person.name'];
// Said by the document alone, where no script runs.
const FIXED = ['old'];

const plain = (html) => html.replace(/\s+/g, ' ').replaceAll('&amp;', '&').trim();

/** What a document says in English: `[key, sentence]` for each place that is tied to a key. */
function tied(name) {
  const html = read(name);
  const texts = [...html.matchAll(/<(\w+)[^>]*\sdata-words="([^"]+)"[^>]*>([^]*?)<\/\1>/g)].map(([, , key, text]) => [key, plain(text)]);
  const attributes = [...html.matchAll(/<[^>]*\sdata-words-[^>]*>/g)].flatMap(([tag]) =>
    [...tag.matchAll(/\sdata-words-([a-z-]+)="([^"]+)"/g)].map(([, attribute, key]) => [key, new RegExp(`\\s${attribute}="([^"]*)"`).exec(tag)?.[1]]),
  );
  return [...texts, ...attributes];
}

// The page about the certificate has its English in the document only.
const english = { ...ENGLISH, ...Object.fromEntries(tied('trust.html')) };
const placeholders = (sentence) => [...sentence.matchAll(/\{\w+\}/g)].map(([all]) => all).sort();
const tags = (sentence) => parts(sentence).filter((part) => part.tag).map((part) => part.tag).sort();
const view = { home: 'The $& barn', reason: null, stuck: false, thin: false, barred: false, restarting: false };

afterEach(() => words.speak({}));

test('each language has a catalogue, and each catalogue is of a language that can be chosen', () => {
  const there = files.map((file) => /^words-(\w+)\.json$/.exec(file)?.[1]).filter(Boolean);
  assert.deepEqual(there.sort(), [...LANGUAGES].sort());
});

for (const [name, catalogue] of catalogues) {
  test(`no sentence is missing in ${name}, and none is there that nobody says`, () => {
    assert.deepEqual(Object.keys(english).filter((key) => !(key in catalogue)), []);
    assert.deepEqual(Object.keys(catalogue).filter((key) => !(key in english)), []);
  });

  test(`every sentence in ${name} is a translation, with the same values and emphasis in it`, () => {
    for (const [key, sentence] of Object.entries(catalogue)) {
      assert.ok(typeof sentence === 'string' && sentence.trim() === sentence && sentence, key);
      assert.deepEqual(placeholders(sentence), placeholders(english[key] ?? ''), key);
      const letters = (english[key] ?? '').replace(/\{\w+\}/g, '').match(/\p{L}/u);
      if (letters && !SAME.includes(key)) assert.notEqual(sentence, english[key], key);
      assert.doesNotMatch(parts(sentence).map((part) => part.text ?? part).join(''), /[<>]/, key);
      if (tags(english[key] ?? '').includes('code')) assert.ok(tags(sentence).includes('code'), key);
    }
  });

  test(`what ${name} tells people to press is called what it says on the button`, () => {
    const buttons = [['unblock.', 'Try again', 'action.again'], ['trust.', 'Get home’s certificate', 'trust.get'], ['why.', 'Another device', 'person.device'], ['fault.', 'Details', 'house.details'], ['news.', 'People', 'people.title'], ['news.', 'Visits', 'visits.title']];
    for (const [prefix, label, button] of buttons) {
      for (const key of Object.keys(english).filter((one) => one.startsWith(prefix) && one !== button && english[one].includes(label))) {
        assert.ok(catalogue[key].includes(catalogue[button]), key);
      }
    }
  });

  test(`no words in ${name} send anybody to the browser that they use`, () => {
    for (const key of ['codec-comes', 'no-codec', 'no-webrtc'].flatMap((one) => [`${one}.title`, `${one}.text`])) {
      assert.doesNotMatch(catalogue[key], /Chrom|Edge|Safari|Firefox/i, key);
    }
  });
}

test('no catalogue says a thing twice', () => {
  for (const [name, text] of tongues) {
    const keys = [...text.matchAll(/^ {2}"([^"]+)": "/gm)].map(([, key]) => key);
    assert.equal(new Set(keys).size, keys.length, name);
    assert.equal(keys.length, Object.keys(JSON.parse(text)).length, name);
  }
});

test('what stands in the document is what the English catalogue says', () => {
  for (const name of ['index.html', 'rest.html', 'owner.html']) {
    for (const [key, text] of tied(name)) assert.equal(text, ENGLISH[key], key);
  }
  for (const [key, text] of tied('trust.html')) assert.equal(text, english[key], key);
});

test('whatever the documents say is tied to a key', () => {
  const names = /^(|Android|Windows|Mac|Linux|Chrome, Chromium, Edge:|100 %)$/;
  for (const name of files.filter((file) => file.endsWith('.html'))) {
    const html = read(name).replace(/<(noscript|svg)[^]*?<\/\1>/g, '');
    const free = FIXED.reduce((text, id) => text.replace(new RegExp(`<p id="${id}">[^]*?</p>`), ''), html);
    const rest = free.replace(/<(\w+)[^>]*\sdata-words="[^"]+"[^>]*>[^]*?<\/\1>/g, '').replace(/<[^>]*>/g, '\n');
    for (const line of rest.split('\n')) assert.match(line.trim(), names, name);
    for (const [tag] of html.matchAll(/<[a-z][^>]*>/g)) {
      for (const [, attribute] of tag.matchAll(/\s(alt|aria-label|title|placeholder)="(?!")/g)) assert.match(tag, new RegExp(` data-words-${attribute}=`), tag);
    }
  }
});

test('whatever the page asks for by its key is there', () => {
  for (const name of files.filter((file) => file.endsWith('.js'))) {
    for (const [, key] of read(name).matchAll(/\bsay\('([^']+)'/g)) assert.ok(key in ENGLISH, `${name}: ${key}`);
  }
});

test('the browser decides: its first language that the page has', () => {
  const choices = [
    [['de-CH'], 'de'],
    [['zh-Hant-TW'], 'zh'],
    [['ZH-cn', 'en'], 'zh'],
    [['nl', 'fr-CA', 'de'], 'fr'],
    [['en-GB', 'de'], 'en'],
    [['hi-IN', 'en'], 'hi'],
    [['nl', 'fil'], 'en'],
    [[], 'en'],
  ];
  for (const [wanted, language] of choices) assert.equal(chooseLanguage(wanted), language, wanted.join());
});

test('dates are written as in the region that the browser names first for the language', () => {
  assert.equal(localeOf('de', ['en-US', 'de-CH', 'de-AT']), 'de-CH');
  assert.equal(localeOf('zh', ['ZH-hant-tw']), 'zh-Hant-TW');
  for (const wanted of [['fr'], [], ['de_DE.UTF-8'], ['de-']]) assert.equal(localeOf('de', wanted), 'de', wanted.join());
});

test('a language that does not come is asked for again, ever less often, and English stays meanwhile', async () => {
  const waits = [];
  const asked = new Set();
  let failures = 6;
  const ask = async (address) => {
    asked.add(`${address} ${words.say('action.again')}`);
    if (failures-- > 0) throw new Error('not now');
    return { 'action.again': 'Erneut versuchen' };
  };
  const warn = console.warn;
  console.warn = () => {};
  const catalogue = await fetchWords('de', { ask, wait: async (ms) => waits.push(ms) });
  console.warn = warn;
  assert.deepEqual([...asked], ['/words-de.json Try again']);
  assert.deepEqual(waits, [5000, 10000, 20000, 40000, 60000, 60000]);
  words.speak(catalogue);
  assert.equal(words.say('action.again'), 'Erneut versuchen');
});

test('what home answers is a catalogue, or is asked for again', async () => {
  const answers = [
    () => ({ ok: false, status: 503, json: async () => ({}) }),
    () => ({ ok: true, json: async () => JSON.parse('<html>') }),
    () => ({ ok: true, json: async () => null }),
    () => ({ ok: true, json: async () => ({ home: 'Zuhause' }) }),
  ];
  const [real, warn] = [globalThis.fetch, console.warn];
  console.warn = () => {};
  globalThis.fetch = async () => answers.shift()();
  let waits = 0;
  const catalogue = await fetchWords('de', { wait: async () => (waits += 1) });
  Object.assign(globalThis, { fetch: real });
  console.warn = warn;
  assert.deepEqual([catalogue, waits], [{ home: 'Zuhause' }, 3]);
});

test('a catalogue of another version never leaves a gap: what it lacks or cannot fill is English', () => {
  words.speak({ home: 'Zuhause', 'connecting.title': '', 'connecting.text': 7, 'live.text': '{place} ist live.', 'note.new': 'Neu' });
  const { title, text } = words.stateWords({ ...view, state: 'connecting' }, true);
  assert.deepEqual([title, text], [ENGLISH['connecting.title'], ENGLISH['connecting.text']]);
  assert.equal(words.stateWords({ ...view, state: 'live' }, true).text, 'You are at home. The $& barn is live.');
  assert.equal(words.homeName({ home: null }), 'Zuhause');
  assert.equal(words.say('nothing'), null);
});

test('every state, question and refusal is said in each language', () => {
  for (const [name, catalogue] of catalogues) {
    words.speak(catalogue);
    for (const state of ['connecting', 'live', 'reconnecting', 'offline', 'full', 'wrong-link', 'blocked', 'left', 'revoked', 'tap', 'sound', 'knock', 'curtain', 'declined', 'no-answer', 'resting', 'ended']) {
      const { title, text } = words.stateWords({ ...view, state }, true);
      assert.ok(title && /[.。।]$/.test(text) && !Object.values(ENGLISH).includes(text), `${name}: ${state}`);
    }
    assert.equal(words.questionWords('mic').title, catalogue['ask.mic.title']);
    assert.equal(words.blockedWords('both', 'firefox').steps[2], catalogue['unblock.firefox.3']);
    assert.equal(words.declineWords({ sends: false, soundOnly: true }), catalogue['decline.listen']);
    assert.equal(words.tapWords({ picture: true, sound: false }), catalogue['tap.picture']);
  }
});

test('emphasis becomes elements, and nothing else in a catalogue does', () => {
  assert.deepEqual(parts('Tap <b>Allow</b>, run <code>x</code>.'), ['Tap ', { tag: 'b', text: 'Allow' }, ', run ', { tag: 'code', text: 'x' }, '.']);
  for (const text of ['<img src=x><b>a', '<i>a</i>', '<script>a</script>', '<b class=x>a</b>']) assert.deepEqual(parts(text), [text]);
});
