// The page: joins the visit, the picture, the person's devices and the document. It begins when it is there, behind first.js.
import { begun, brief, hasSecret } from './first.js';
import { Framing, SelfView } from './frame.js';
import { learnLanguage } from './languages.js';
import { LimitLine } from './limits.js';
import { lines } from './lines.js';
import { Media } from './media.js';
import { Player } from './player.js';
import { isDismissed, questionFor } from './policy.js';
import { Remembered } from './remembered.js';
import { Ui } from './ui.js';
import { visit } from './visit.js';
import { Volume } from './volume.js';
import { gradeQuality, readStats } from './watch.js';
import { say, situation, speak } from './words.js';

const QUALITY_MS = 2000;
const ASK_AFTER_MS = 700;
const LET_GO_AFTER_MS = 60000;
// The picture comes first.
const KEEP_AFTER_MS = 5000;
const LOUDER = 5;
// Longer than what call.css moves then.
const ARRIVAL_MS = 1000;

// The document names an empty one: a browser asks for it at once, over a connection of its own, in front of the picture.
document.querySelector('link[rel="icon"]').href = '/icon.svg';

const home = document.getElementById('home');
const player = new Player(home, { presented: (count) => visit.presented(count), changed: showPlayer });
const framing = new Framing(home, document.getElementById('glow'));
const self = new SelfView(document.getElementById('mine'), document.getElementById('self'), { changed: showControls });
const media = new Media({
  track: (kind, track) => visit.setTrack(kind, track),
  changed: showDevices,
  note: (name) => ui.note(name),
  blocked: (devices, bySystem) => ui.help(devices, null, bySystem),
});
const volume = new Volume();
const ui = new Ui({
  mic: () => toggle('mic'),
  cam: () => toggle('cam'),
  switch: () => media.cameras > 1 && media.switchCamera(),
  self: () => media.picture && self.toggle(),
  sound: () => {
    player.setSound(player.sound !== 'on');
    if (player.sound === 'off') ui.note('sound-off');
  },
  tapSound: () => player.allow(),
  tapHome: () => player.tap(),
  volume: (percent) => {
    volume.set(percent, performance.now());
    tellVolume();
  },
  louder: (direction) => {
    // The same as the slider, which is there for those whom home hears.
    if (media.mic !== 'on') return;
    volume.step(direction * LOUDER, performance.now());
    tellVolume();
  },
  zoom: () => framing.toggle(),
  covered: (px) => framing.keepClear(px),
  join: (which) => {
    player.allow();
    join({ mic: which !== 'cam', cam: which !== 'mic' });
  },
  decline: (which) => {
    player.allow();
    // "Not now" is for this visit. So says who sends something already, or was asked for the camera beside the microphone.
    if (which !== 'cam' && !media.uses('mic') && !media.uses('cam')) media.justWatch();
  },
  leave: () => {
    media.stop();
    visit.leave();
  },
  again: () => (visit.view().state === 'unsupported' || !visit.view().ended ? location.reload() : comeBack()),
  paste: (text) => visit.useLink(text) && comeBack(false),
});

let online = navigator.onLine !== false;
let lastState = '';
let lastEntry = 'inside';
let letGo = 0;
// Asked once a visit, after the first picture.
let asked = false;
// The connection at hand, or the one before it, has sound only.
let unseen = false;

function comeBack(start = true) {
  asked = false;
  if (start) visit.start();
  return true;
}

async function join({ mic = true, cam = true } = {}) {
  await media.join({ mic, cam: cam && !visit.view().soundOnly });
  noteDevices();
}

async function toggle(kind) {
  if (kind === 'cam' && visit.view().soundOnly) return;
  player.allow();
  ui.ask(null);
  asked = true;
  const before = media[kind];
  await media.toggle(kind);
  if (media[kind] === before || !(media[kind] === 'on' || media[kind] === 'off')) return;
  // Before they are inside, people may get ready.
  const early = visit.view().entry !== 'inside';
  ui.note(`${kind}-${early && media[kind] === 'on' ? 'ready' : media[kind]}`);
}

/** The person has answered home's call, and wants to hear it. */
function answered() {
  if (player.sound !== 'on') player.setSound(true);
  if (visit.view().entry !== 'inside' || !(lastState === 'live' || visit.view().talks) || media.uses('mic')) return;
  asked = true;
  ui.ask(visit.view().soundOnly || media.uses('cam') ? 'mic' : 'both');
}

/** Home has let this visit in. */
function cameIn() {
  noteDevices();
  if (lastState === 'live') setTimeout(offerTwoWay, ASK_AFTER_MS);
}

function noteDevices() {
  // Nobody hears or sees them yet.
  if (visit.view().entry !== 'inside') return;
  const on = { mic: media.mic === 'on', cam: media.cam === 'on' };
  if (on.mic && on.cam) ui.note('both-on');
  else if (on.mic || on.cam) ui.note(on.mic ? 'mic-on' : 'cam-on');
}

function showState() {
  const view = visit.view();
  ui.state(view, online);
  volume.hear(view.volume);
  tellVolume();
  showLimit(view);
  if (!learning && situation(view, online) !== 'connecting') learn();
  // No camera's light burns where nobody could see it.
  if (view.soundOnly) {
    media.setSeen(false);
    if (ui.asking && ui.asking !== 'mic') ui.ask(questionFor(ui.asking, true));
    unseen = true;
  } else if (view.state === 'live') {
    media.setSeen(true);
    if (unseen && !cameTimer) cameTimer = setTimeout(pictureCame, ASK_AFTER_MS);
  }
  // Where only sound gets through, people can talk already.
  if (view.talks) {
    clearTimeout(letGo);
    offerTwoWay();
  }
  const entered = view.entry === 'inside' && lastEntry !== 'inside' && !view.ended;
  lastEntry = view.entry;
  if (entered) cameIn();
  if (view.state === lastState) return;
  lastState = view.state;
  if (view.ended) {
    player.clear();
    media.stop();
    ui.ask(null);
    ui.help(null);
    ui.quality(null);
    ui.fullscreen(false);
  }
  clearTimeout(letGo);
  remember(view.state);
  if (view.state === 'live' || view.state === 'sound') {
    framing.fit();
    setTimeout(offerTwoWay, ASK_AFTER_MS);
  } else if (!view.ended && view.state !== 'knock' && view.state !== 'curtain') {
    // No camera's light burns for a home that stays away; it comes on again with the picture.
    letGo = setTimeout(() => {
      media.stop();
      asked = false;
    }, LET_GO_AFTER_MS);
  }
  stayAwake();
}

const remembered = new Remembered();
/** Home is to know a browser again that has lost what this page stored. */
function remember(state) {
  if (state === 'revoked') {
    remembered.forget();
  } else if (state === 'wrong-link') {
    remembered.restore(visit.key).then((key) => key && visit.view().state === 'wrong-link' && visit.useLink(key) && comeBack(false));
  } else if (['live', 'sound', 'knock'].includes(state)) {
    setTimeout(() => !visit.view().ended && remembered.keep(visit.key), KEEP_AFTER_MS);
  }
}

let learning = false;
/** The browser's language comes behind the first picture, unless there is more to say than that it is on its way. */
function learn() {
  learning = true;
  learnLanguage((words, locale) => {
    speak(words, locale);
    ui.reword();
    showState();
    showControls();
    dispatchEvent(new Event('reworded'));
  });
}

const limit = new LimitLine();
/** Says why the picture is less sharp than it could be, for as long as that lasts. */
function showLimit({ state, entry, saves, narrow }) {
  const why = limit.step({ seen: state === 'live' && entry === 'inside', saves, narrow });
  const button = why === 'saving' ? { words: say('limit.full'), act: () => visit.takeFull() } : null;
  lines.show('limit', why && say(`limit.${why}`), () => limit.close(), button);
}

let volumeTimer = 0;
/** Tells home where the slider stands, not with each of its moves; and shows it to those whom home hears. */
function tellVolume() {
  clearTimeout(volumeTimer);
  const now = performance.now();
  const percent = volume.due(now);
  if (percent !== null) visit.setVolume(percent);
  const wait = volume.wait(now);
  if (wait !== null) volumeTimer = setTimeout(tellVolume, wait);
  ui.volume(volume.shown(now), media.mic === 'on');
}

function showPlayer() {
  visit.hold({ all: player.refused, sound: player.sound === 'blocked' });
  showControls();
}

function showControls() {
  ui.controls(media, player.sound);
  tellVolume();
  document.getElementById('show-self').hidden = !(self.hidden && media.picture);
}

function showDevices() {
  self.show(media.picture, media.mirrored);
  if (media.mic === 'on') player.resume();
  showControls();
}

/** Home's picture came first; now the way back, without a question where it was answered before. */
async function offerTwoWay() {
  const { talks, soundOnly, entry } = visit.view();
  if (asked || entry !== 'inside' || !(lastState === 'live' || talks)) return;
  asked = true;
  const choice = media.choice;
  if (choice?.watch) return;
  const { mic, cam } = await media.allowed();
  if (mic || (cam && !soundOnly)) {
    await join({ mic, cam: cam && choice?.cam !== false });
    if (choice && mic && !cam) offerCamera();
  } else {
    ui.ask(questionFor(null, soundOnly));
  }
}

let cameTimer = 0;
/** There was sound only, and now there is a picture. */
function pictureCame() {
  cameTimer = 0;
  // It may be gone again; then the next one counts.
  if (lastState !== 'live' || visit.view().soundOnly) return;
  unseen = false;
  if (!asked) return;
  // The question that is still open was for the microphone alone.
  if (ui.asking) ui.ask(questionFor(ui.asking, false));
  else if (media.choice && !media.choice.watch) offerCamera();
}

/** The way back has sound. Its camera comes on, too, unless the person has turned it off; with a question if the browser has one. */
async function offerCamera() {
  if (visit.view().soundOnly || media.choice?.cam === false || media.cam !== 'off') return;
  const permission = await media.cameraPermission();
  if (permission === 'granted') join({ mic: false });
  else if (permission === 'prompt' && media.cameras > 0) ui.ask('cam');
}

let wakeLock = null;
async function stayAwake() {
  const wanted = ['live', 'reconnecting', 'sound', 'knock', 'curtain'].includes(lastState);
  if (!wanted) {
    wakeLock?.release().catch(() => {});
    wakeLock = null;
    return;
  }
  if (!navigator.wakeLock || document.visibilityState !== 'visible' || (wakeLock && !wakeLock.released)) return;
  try {
    wakeLock = await navigator.wakeLock.request('screen');
  } catch {
    // A nearly empty battery, for one; it is asked for again when the page is seen again.
  }
}

/** The picture is small, and not because it is to be. */
function isReduced() {
  const { rung, saves } = visit.view();
  return rung === 'reduced' && !saves;
}

let before = null;
async function measure() {
  if (!(lastState === 'live' || lastState === 'sound') || lastEntry !== 'inside' || document.visibilityState !== 'visible') {
    before = null;
    return;
  }
  const report = await visit.getStats().catch(() => null);
  if (!report) return;
  const after = { ...readStats(report), at: performance.now() };
  const seconds = before ? (after.at - before.at) / 1000 : 0;
  const same = before && after.received >= before.received && seconds < 10;
  if (same) ui.quality(gradeQuality({ before, after, seconds, reduced: isReduced() }));
  before = after;
}

function seenAgain() {
  if (document.visibilityState !== 'visible') return;
  visit.nudge();
  player.resume();
  media.refresh();
  stayAwake();
}

/** The picture that first.js has seen already counts: no veil comes back over it. */
function goOnFromFirstLight() {
  const { dataset } = document.documentElement;
  delete dataset.opening;
  if (!('seen' in dataset)) return;
  dataset.arriving = '';
  setTimeout(() => delete dataset.arriving, ARRIVAL_MS);
  const { state, media } = visit.view();
  if (state === 'connecting' && media === 'connected' && !home.paused) visit.presented();
}

function start() {
  document.documentElement.dataset.begun = '';
  brief.remove('intercom.tries');
  visit.addEventListener('change', showState);
  visit.addEventListener('stream', () => player.show(visit.stream));
  visit.start(begun);
  if (visit.stream?.getTracks().length) player.show(visit.stream);
  goOnFromFirstLight();
  showState();
  showDevices();

  document.getElementById('hide-self').addEventListener('click', () => self.toggle(true));
  document.getElementById('show-self').addEventListener('click', () => self.toggle(false));
  // Any tap is the one that the browser waits for before it plays sound.
  for (const type of ['pointerup', 'keydown']) {
    addEventListener(type, (event) => event.target.closest?.('#sound') || player.allow());
  }
  setInterval(measure, QUALITY_MS);
  addEventListener('answered', answered);

  document.addEventListener('visibilitychange', seenAgain);
  document.addEventListener('resume', seenAgain);
  addEventListener('focus', () => player.resume());
  navigator.connection?.addEventListener?.('change', () => {
    visit.nudge();
    // The person may have turned the saving of data on or off.
    visit.sendState();
    showState();
  });
  addEventListener('online', () => {
    online = true;
    visit.nudge();
    showState();
  });
  addEventListener('offline', () => {
    online = false;
    showState();
  });
  addEventListener('hashchange', () => {
    if (!hasSecret(location.hash)) return;
    asked = false;
    visit.start();
  });
  addEventListener('pagehide', () => {
    media.stop();
    visit.suspend();
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted && !isDismissed(visit.view().state)) comeBack();
    else visit.nudge();
  });
}

start();
