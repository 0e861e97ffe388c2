// Which sentence the page says, in whatever language.
import { ENGLISH } from './english.js';
import { momentWords } from './when.js';

// The catalogue of another language, once it is here.
let spoken = {};
// Of dates and numbers: a tag like 'de-CH'.
let tongue = 'en';

/** From now on the page says what `catalogue` has, and the rest in English; it writes dates as people of `locale` do. */
export function speak(catalogue, locale = 'en') {
  spoken = catalogue;
  tongue = locale;
}

/** How people write dates and numbers in the language of the page. */
export const locale = () => tongue;

/** The sentence behind `key` for `n` things: catalogues have one for 'one' and one for all 'other' numbers. */
export function count(key, n, values = {}) {
  const kind = new Intl.PluralRules(tongue).select(n) === 'one' ? 'one' : 'other';
  return say(`${key}.${kind}`, { n: n.toLocaleString(tongue), ...values });
}

// Marks of direction, which a name may bring along, would turn the sentence around it.
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A name as a part of a sentence, whatever its script. */
export const isolated = (name) => `\u2068${name.replace(DIRECTION, '')}\u2069`;

/** The sentence behind `key`, with `values` in place of its `{names}`; null if there is none. */
export function say(key, values = {}) {
  return filled(spoken[key], values) ?? filled(ENGLISH[key], values);
}

/** Null for a sentence that wants a value which nobody has: it is of another version of the page. */
function filled(sentence, values) {
  if (typeof sentence !== 'string' || !sentence.trim()) return null;
  let whole = true;
  const text = sentence.replace(/\{(\w+)\}/g, (_, name) => {
    whole &&= name in values;
    return values[name];
  });
  return whole ? text : null;
}

/** What a state is called and what it means: `{ title, text }`. `view` is the visit's, `online` the device's network, `now` in ms since 1970. */
export function stateWords(view, online, now = Date.now()) {
  const home = homeName(view);
  const key = situation(view, online);
  const time = key === 'resting' ? momentWords(view.until, now, tongue) : '';
  const title = ['live', 'preview', 'tap', 'snapshots'].includes(key) ? home : say(`${key}.title`, { home: isolated(home), time });
  return { title, text: say(`${key}.text`, { home }) };
}

/** What the family calls home. */
export const homeName = (view) => view.home ?? say('home');

/** Which of the sentences fits: the beginning of its key. */
export function situation(view, online) {
  switch (view.state) {
    case 'live':
      return view.entry === 'preview' ? 'preview' : 'live';
    case 'knock':
      return view.barred ? 'knock-barred' : 'knock';
    case 'curtain':
      return view.soundOnly ? 'curtain-heard' : 'curtain';
    case 'resting':
      return Number.isFinite(view.until) ? 'resting' : 'resting-now';
    case 'sound':
      if (view.snapshot) return 'snapshots';
      return view.late ? 'no-codec' : 'codec-comes';
    case 'connecting':
      return hindrance(view) ?? 'connecting';
    case 'reconnecting':
      if (!online) return 'device-offline';
      if (view.restarting) return 'restarting';
      return hindrance(view) ?? 'reconnecting';
    case 'offline':
      if (!online) return 'device-offline';
      if (view.misdirected) return 'misdirected';
      return view.refused ? 'refused' : 'offline';
    case 'full':
      return view.busy ? 'busy' : 'full';
    case 'wrong-link':
      return view.reason === 'no-key' || view.reason === 'code' ? view.reason : 'wrong-key';
    case 'unsupported':
      return view.reason === 'version' ? 'version' : 'no-webrtc';
    default:
      return view.state;
  }
}

function hindrance({ thin, stuck, barred }) {
  if (thin) return 'thin';
  if (stuck) return 'stuck';
  return barred ? 'barred' : null;
}

/** What the one tap does that the browser waits for: is there a `picture`, and has the person not turned off the `sound`? */
export function tapWords({ picture, sound }) {
  if (!picture) return say('tap.sound');
  return sound ? say('tap.all') : say('tap.picture');
}

/** The one button with which a person comes again, after leaving or after home's farewell. */
export function returnWords({ state, entry }) {
  if (state === 'no-answer' || (state === 'declined' && entry === 'knock')) return say('action.knock');
  if (state === 'declined' || state === 'ended') return say('action.enter');
  return say(state === 'resting' ? 'action.again' : 'action.return');
}

/** The question for 'both', 'mic' or 'cam'. */
export const questionWords = (which) => ({ title: say(`ask.${which}.title`), text: say(`ask.${which}.text`) });

/** The way to turn nothing on; `later` where the answer is for this visit only. */
export function declineWords({ later, soundOnly }) {
  if (later) return say('decline.later');
  return soundOnly ? say('decline.listen') : say('decline.watch');
}

/** What to show when the browser refuses; `devices` is 'microphone', 'camera' or 'both'. With `soundOnly` nobody sees anybody. */
export function blockedWords(devices, browser, soundOnly = false) {
  const way = `unblock.${browser}.1` in ENGLISH ? browser : 'other';
  return {
    title: say(`refusal.${devices}.title`),
    text: say(`refusal.${devices}.${soundOnly ? 'heard' : 'text'}`),
    steps: [1, 2, 3].map((step) => say(`unblock.${way}.${step}`)),
  };
}

/** Which of the ways to allow a device fits, out of the browser's name for itself. */
export function browserKind(agent, touchPoints = 0) {
  const apple = /iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touchPoints > 1);
  if (apple) return /CriOS|FxiOS|EdgiOS|OPiOS|DuckDuckGo/.test(agent) ? 'ios-other' : 'ios-safari';
  if (/Android/.test(agent)) return /Firefox/.test(agent) ? 'android-firefox' : 'android-chrome';
  if (/Firefox/.test(agent)) return 'firefox';
  if (/Chrome|Chromium|Edg/.test(agent)) return 'chrome';
  return /Safari/.test(agent) ? 'safari' : 'other';
}
