// The document: puts words, states and controls on the page, and tells what the person does. It decides nothing.
import { ENGLISH } from './english.js';
import { putWords } from './languages.js';
import { isDismissed } from './policy.js';
import { setTitle } from './title.js';
import { blockedWords, browserKind, declineWords, homeName, questionWords, returnWords, say, stateWords, tapWords } from './words.js';

const IDLE_MS = 4500;
const NOTE_MS = 3200;
const LONG_NOTE_MS = 8000;
// On a touch screen the last button that was touched stays "hovered".
const HOVERS = matchMedia('(hover: hover)').matches;
const by = (id) => document.getElementById(id);

/**
 * `on` holds one function per wish of the person: mic, cam, switch, self, sound, tapSound, tapHome, zoom, leave, again,
 * join(which) and decline(which), which is 'both', 'mic' or 'cam', volume(percent), louder(1 or -1) and paste(text), which says whether
 * it was a link; and covered(px), when a sheet opens or closes.
 */
export class Ui {
  #on;
  #notes = new Map();
  #noteTimer = 0;
  #idleTimer = 0;
  #wokenBy = null;
  #text = '';
  #live = false;
  #talks = false;
  #knocks = false;
  #soundOnly = false;
  #sends = false;
  // What was pasted has no key in it.
  #badLink = false;
  #shown = [];
  // What the open sheet is about: 'both', 'mic' or 'cam'.
  #which = 'both';
  // Whose refusal the help explains, and what refuses: a kind of browser, or 'system'.
  #refusal = null;
  #sound = true;

  constructor(on) {
    this.#on = on;
    const click = (id, act) => by(id).addEventListener('click', act);
    click('mic', on.mic);
    click('cam', on.cam);
    click('switch', on.switch);
    click('sound', on.sound);
    click('tap-sound', on.tapSound);
    click('tap-home', on.tapHome);
    click('leave', on.leave);
    click('stop', on.leave);
    by('volume').addEventListener('input', () => on.volume(by('volume').valueAsNumber));
    click('return', on.again);
    click('again', on.again);
    // Inside the person's tap, which the browser asks for.
    const join = () => on.join(this.#which);
    click('join', () => this.ask(null, join));
    const decline = () => on.decline(this.#which);
    click('just-watch', () => this.ask(null, decline));
    click('help-again', () => this.help(null, join));
    click('help-close', () => this.help(null, decline));
    click('fullscreen', () => this.fullscreen());
    by('paste').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#badLink = !on.paste(by('link').value);
      if (this.#badLink) this.state(...this.#shown);
    });
    by('fullscreen').hidden = !document.fullscreenEnabled;
    document.addEventListener('fullscreenchange', () => this.#showFullscreen());
    document.addEventListener('keydown', (event) => this.#key(event));
    this.#watchIdle();
    this.#showFullscreen();
  }

  /** Says everything again, in the language that has come. What `state`, `controls` and `volume` say comes with their next call. */
  reword() {
    putWords(say);
    this.#text = '';
    this.#showFullscreen();
    this.#showNote();
    this.#qualityWords();
    if (this.asking) this.#questionWords();
    if (!by('help').hidden) this.#helpWords();
  }

  /** Shows the visit's `view`. */
  state(view, online) {
    const body = document.body.dataset;
    const turned = body.state !== view.state;
    for (const name of ['state', 'media', 'socket']) if (body[name] !== view[name]) body[name] = view[name];
    this.#knocks = view.state === 'knock';
    const controls = String(view.talks || this.#knocks);
    if (body.talks !== controls) body.talks = controls;
    document.body.toggleAttribute('data-covered', view.covered);
    this.#live = view.state === 'live';
    this.#talks = view.talks;
    this.#soundOnly = view.soundOnly;
    this.#declineWords();
    by('cam').hidden = view.soundOnly;
    this.#tapWords();
    this.#shown = [view, online];
    this.#badLink &&= view.state === 'wrong-link' || view.state === 'revoked';
    const { title, text: usual } = stateWords(view, online);
    const text = this.#badLink ? say('note.bad-link') : usual;
    // Written only when it changes: a screen reader says it each time.
    if (this.#text !== title + text) {
      this.#text = title + text;
      by('title').textContent = title;
      by('status').textContent = text;
    }
    // Home may be called something else by now, whatever is said below.
    setTitle(view.state === 'live' || view.snapshot || this.#knocks ? title : `${title} · ${homeName(view)}`);
    by('name').textContent = homeName(view);
    by('mark').hidden = view.socket === 'open';
    by('paste').hidden = view.state !== 'wrong-link' && view.state !== 'revoked';
    by('trust').hidden = view.state !== 'blocked';
    const gone = view.state === 'left' || isDismissed(view.state);
    by('return').hidden = !gone;
    by('return').textContent = returnWords(view);
    by('stop').hidden = !this.#knocks;
    by('tap-home').hidden = view.state !== 'tap';
    const refused = view.state === 'offline' && view.refused && !view.misdirected && online;
    by('again').hidden = view.state !== 'unsupported' && !refused;
    by('again').textContent = say(refused ? 'action.reload' : 'action.again');
    // The button that was pressed is gone: the next one to press takes the focus.
    const next = gone ? 'return' : { tap: 'tap-home' }[view.state];
    if (turned && next) by(next).focus({ preventScroll: true });
    if (!this.#live) this.#wake();
    this.#snapshot(view.snapshot);
    // Home's card has no words for a camera that is away.
    const unplugged = (this.#live || Boolean(view.snapshot)) && view.camera === 'unplugged';
    // Whoever is muted cannot be heard: that is the more important one.
    this.note('snapshots', Boolean(view.snapshot) && !view.muted && !unplugged);
    this.note('unplugged', unplugged);
    this.note('preview', (this.#live || view.talks) && view.entry === 'preview');
    this.note('muted', (this.#live || view.talks) && view.muted);
  }

  /** Shows the controls' states: `media` the person's devices, `sound` the player's. */
  controls(media, sound) {
    this.#device('mic', media.mic);
    this.#device('cam', media.cam);
    this.#sends = media.uses('mic') || media.uses('cam');
    this.#declineWords();
    this.#press('sound', sound === 'on');
    by('tap-sound').hidden = sound !== 'blocked';
    this.#sound = sound !== 'off';
    this.#tapWords();
    by('switch').hidden = !(media.cameras > 1 && media.picture);
  }

  /** Shows a single picture in place of video, or none. */
  #snapshot(address) {
    const picture = by('snapshot');
    document.body.toggleAttribute('data-snapshot', Boolean(address));
    picture.hidden = !address;
    if (address && picture.src !== address) picture.src = address;
    else if (!address) picture.removeAttribute('src');
  }

  #declineWords() {
    const words = declineWords({ later: this.#sends || this.#which === 'cam', soundOnly: this.#soundOnly });
    for (const id of ['just-watch', 'help-close']) if (by(id).textContent !== words) by(id).textContent = words;
  }

  #tapWords() {
    by('tap-words').textContent = tapWords({ picture: !this.#soundOnly, sound: this.#sound });
  }

  /** Sets the slider for the volume at home to `{ percent, least, most }`, or none (null), and shows it or not. */
  volume(shown, wanted) {
    by('loudness').hidden = !shown || !wanted;
    if (!shown) return;
    const slider = by('volume');
    // The limits first: a browser keeps the value within those that it knows.
    slider.min = shown.least;
    slider.max = shown.most;
    if (slider.valueAsNumber !== shown.percent) slider.value = shown.percent;
    slider.setAttribute('aria-valuetext', say('volume.spoken', { n: shown.percent }));
    by('percent').textContent = say('volume.percent', { n: shown.percent });
  }

  quality(level) {
    const mark = by('quality');
    mark.hidden = level === null;
    if (level === null || (mark.dataset.level === level && mark.title)) return;
    mark.dataset.level = level;
    this.#qualityWords();
  }

  #qualityWords() {
    const mark = by('quality');
    mark.title = say(`quality.${mark.dataset.level}`);
    mark.setAttribute('aria-label', mark.title);
  }

  /** A small notice: `shown` true keeps it, false takes it away, undefined shows it for a moment. */
  note(name, shown) {
    if (shown === false) {
      if (!this.#notes.delete(name)) return;
    } else {
      if (shown && this.#notes.get(name)?.until === Infinity) return;
      const english = ENGLISH[`note.${name}`];
      if (!english) return;
      // As long as it takes to read, in whatever script.
      const until = shown ? Infinity : performance.now() + (english.length > 40 ? LONG_NOTE_MS : NOTE_MS);
      this.#notes.delete(name);
      this.#notes.set(name, { key: `note.${name}`, until });
    }
    this.#showNote();
  }

  /** Opens the question for 'both', 'mic' or 'cam', or closes it (null). */
  ask(which, then) {
    by('ask').hidden = !which;
    if (which) {
      this.#which = which;
      this.#declineWords();
      this.#questionWords();
      this.#wake();
    }
    this.#sheets();
    then?.();
  }

  #questionWords() {
    const { title, text } = questionWords(this.#which);
    by('ask-title').textContent = title;
    by('ask-text').textContent = text;
  }

  /** What the open question is about, or null. */
  get asking() {
    return by('ask').hidden ? null : this.#which;
  }

  /** Explains how to allow blocked `devices` ('microphone', 'camera', 'both'), or closes that. */
  help(devices, then, bySystem = false) {
    by('help').hidden = !devices;
    if (devices) {
      this.#which = { microphone: 'mic', camera: 'cam', both: 'both' }[devices];
      this.#declineWords();
      by('ask').hidden = true;
      const kind = bySystem ? 'system' : browserKind(navigator.userAgent, navigator.maxTouchPoints);
      this.#refusal = { devices, kind };
      this.#helpWords();
      this.#wake();
    }
    this.#sheets();
    then?.();
  }

  #helpWords() {
    const { title, text, steps } = blockedWords(this.#refusal.devices, this.#refusal.kind, this.#soundOnly);
    by('help-title').textContent = title;
    by('help-text').textContent = text;
    by('help-steps').replaceChildren(
      ...steps.map((step) => Object.assign(document.createElement('li'), { textContent: step })),
    );
  }

  /** How much of the bottom an open sheet covers. */
  #sheets() {
    const sheet = [by('ask'), by('help')].find((one) => !one.hidden);
    this.#on.covered(sheet ? innerHeight - sheet.getBoundingClientRect().top : 0);
  }

  fullscreen(on = !document.fullscreenElement) {
    if (!document.fullscreenEnabled) return;
    const done = on ? document.documentElement.requestFullscreen({ navigationUI: 'hide' }) : document.exitFullscreen();
    done?.catch?.(() => {});
  }

  #device(id, state) {
    const on = state === 'on' || state === 'paused';
    by(id).dataset.device = state;
    by(id).setAttribute('aria-busy', String(state === 'asking'));
    this.#press(id, on);
  }

  #press(id, on) {
    const button = by(id);
    button.setAttribute('aria-pressed', String(on));
    button.title = say(`control.${id}.${on ? 'on' : 'off'}`);
  }

  #showFullscreen() {
    this.#press('fullscreen', Boolean(document.fullscreenElement));
  }

  #showNote() {
    clearTimeout(this.#noteTimer);
    const now = performance.now();
    let lasting = null;
    let passing = null;
    for (const [name, note] of this.#notes) {
      if (note.until <= now) this.#notes.delete(name);
      else if (note.until === Infinity) lasting = note;
      else passing = note;
    }
    const note = passing ?? lasting;
    by('note').hidden = !note;
    const text = note && say(note.key);
    if (text && by('note').textContent !== text) by('note').textContent = text;
    if (passing) this.#noteTimer = setTimeout(() => this.#showNote(), passing.until - now + 20);
  }

  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    // What is typed at the page about people is no shortcut of the call.
    if (document.querySelector('dialog[open]')) return;
    this.#wake();
    const slider = event.target === by('volume');
    if (event.target instanceof HTMLInputElement && !slider) return;
    const key = event.key.toLowerCase();
    if (key === 'escape') {
      if (!by('help').hidden) this.help(null);
      else if (this.asking) this.ask(null);
      return;
    }
    if (!this.#live && !this.#talks && !this.#knocks) return;
    // A slider's own steps would be too small to hear.
    const direction = { '+': 1, '-': -1, ...(slider && { arrowup: 1, arrowright: 1, arrowdown: -1, arrowleft: -1 }) }[key];
    if (direction) {
      event.preventDefault();
      this.#on.louder(direction);
      return;
    }
    if (event.repeat) return;
    const act = { m: this.#on.mic, c: this.#on.cam, x: this.#on.switch, s: this.#on.sound, v: this.#on.self, z: this.#on.zoom }[key];
    if (act) act();
    else if (key === 'f') this.fullscreen();
  }

  /** Controls fade while nobody touches anything; the tap that brings them back does nothing else. */
  #watchIdle() {
    const wake = () => this.#wake();
    for (const type of ['pointermove', 'wheel', 'focusin']) document.addEventListener(type, wake, { passive: true });
    document.addEventListener('pointerdown', (event) => {
      const asleep = document.body.classList.contains('idle');
      this.#wokenBy = asleep && event.pointerType !== 'mouse' && event.target.closest?.('.chrome, #hide-self') ? event.pointerId : null;
      this.#wake();
    }, { capture: true, passive: true });
    document.addEventListener('click', (event) => {
      // Clicks of keys and scripts have no count.
      if (this.#wokenBy === null || event.detail === 0) return;
      this.#wokenBy = null;
      event.preventDefault();
      event.stopPropagation();
    }, true);
    this.#wake();
  }

  #wake() {
    document.body.classList.remove('idle');
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#rest(), IDLE_MS);
  }

  #rest() {
    const busy = document.querySelector('dialog[open]') || this.asking || !by('help').hidden || document.querySelector(HOVERS ? ':is(#dock, #loudness) :is(:focus-visible, :hover)' : ':is(#dock, #loudness) :focus-visible');
    if (!this.#live || busy) this.#wake();
    else document.body.classList.add('idle');
  }
}
