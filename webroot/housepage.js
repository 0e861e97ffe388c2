// Home itself in the document: how it is, and what owners set of it. What is so, and what is told home, house.js knows.
import { SETTINGS } from './house.js';
import { TONGUES, chimeHint, faultWords, fileChoice, loudnessWords, reachWords, settingNote, verdictWords } from './housewords.js';
import { whyWords } from './peoplewords.js';
import { locale, say } from './words.js';

// A slider's own steps would be too small to hear.
const STEP = 5;
const DIRECTIONS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 };
const clock = () => performance.now();
const by = (id) => document.getElementById(id);

/** What is the same already is not written: a field keeps its cursor, a screen reader its peace. */
function put(element, what, value) {
  if (element[what] !== value) element[what] = value;
}

function make(tag, className, text = '') {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

export class HousePage {
  #house;
  #on;

  /** `on.changed()`: something may have to be told to home. */
  constructor(house, on) {
    this.#house = house;
    this.#on = on;
    by('house-again').addEventListener('click', () => this.#do(() => house.again(clock())));
    by('house-language').append(new Option('', ''), ...Object.entries(TONGUES).map(([value, name]) => Object.assign(new Option(name, value), { lang: value })));
    by('house-language').addEventListener('change', () => this.#set('language', by('house-language').value || null));
    by('house-name').addEventListener('input', () => this.#do(() => house.edit('name', by('house-name').value)));
    by('house-name-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (!house.setting('name').changed) return;
      this.#leaveButton('name');
      this.#set('name', by('house-name').value);
    });
    for (const what of ['name', 'volume', 'chime']) by(`house-file-${what}`).addEventListener('click', () => this.#takeBack(what));
    for (const what of ['volume', 'chime']) this.#readySlider(what, by(`house-${what}`));
  }

  /** A place from which one sees how home is opens or closes. */
  watch(watched) {
    this.#house.watch(watched);
    this.#on.changed();
  }

  /** Its page opens or closes. */
  show(shown) {
    this.#house.show(shown);
    this.#on.changed();
  }

  /** Shows how things stand now; the line in the list of people always, and the page if it is `open`. */
  render(open) {
    const { known, health } = this.#house;
    put(by('people-house-now'), 'textContent', known ? verdictWords(health) : '…');
    by('people-house').classList.toggle('needs', known && health.wrong.length > 0);
    by('house-wait').hidden = known;
    by('house-whole').hidden = !known;
    if (!open || !known) return;
    this.#renderHealth(health);
    for (const what of SETTINGS) this.#renderSetting(what);
    const reach = reachWords(this.#house.reach, Date.now());
    this.#list('house-reach', JSON.stringify(reach), () => reach.map((sentence) => make('li', '', sentence)));
    put(by('house-version'), 'textContent', this.#house.version ? say('house.version', { version: this.#house.version }) : '');
  }

  #renderHealth(health) {
    const looking = this.#house.looking(clock());
    const well = health.looked && !health.wrong.length;
    by('house-verdict').dataset.state = !health.looked ? 'looking' : well ? 'well' : 'needs';
    put(by('house-verdict-title'), 'textContent', looking ? say('house.looking') : verdictWords(health));
    by('house-again').setAttribute('aria-busy', String(looking));
    this.#wrong('look');
    const { wrong, good, notices } = health;
    this.#list('house-findings', JSON.stringify([wrong, good, notices, locale(), say('house.details')]), () => [
      ...wrong.map((finding) => card(finding, 'fault')),
      ...notices.map((notice) => Object.assign(make('li', 'notice', notice), { dir: 'auto' })),
      ...good.map((finding) => card(finding, 'notice')),
    ]);
  }

  /** Makes a list anew only where `key` is another: what somebody folded out stays so. */
  #list(id, key, rows) {
    if (by(id).dataset.key === key) return;
    const open = new Set([...by(id).querySelectorAll('details[open]')].map((one) => one.dataset.key));
    by(id).dataset.key = key;
    by(id).replaceChildren(...rows());
    for (const one of by(id).querySelectorAll('details')) one.open = open.has(one.dataset.key);
  }

  #renderSetting(what) {
    const setting = this.#house.setting(what);
    const { value, own, changed, saving } = setting;
    // The language has its own choice for that.
    put(by(`house-note-${what}`), 'textContent', settingNote(what === 'language' ? { ...setting, own: true } : setting));
    this.#wrong(what);
    if (what === 'language') {
      put(by('house-language').options[0], 'textContent', fileChoice(setting));
      put(by('house-language'), 'value', own ? value : '');
      return;
    }
    by(`house-file-${what}`).hidden = !own || saving;
    if (what === 'name') {
      put(by('house-name'), 'value', value ?? '');
      by('house-name-save').hidden = !changed;
      by('house-name').setAttribute('aria-invalid', String(Boolean(setting.wrong)));
    } else this.#renderSlider(what, value);
  }

  #renderSlider(what, value) {
    const limits = what === 'volume' ? this.#house.volumeLimits : { least: 0, most: 100 };
    by(`house-part-${what}`).hidden = !limits || !Number.isFinite(value);
    if (!limits || !Number.isFinite(value)) return;
    const slider = by(`house-${what}`);
    // The limits first: a browser keeps the value within those that it knows.
    slider.min = limits.least;
    slider.max = limits.most;
    if (slider.valueAsNumber !== value) slider.value = value;
    slider.setAttribute('aria-valuetext', loudnessWords(what, value, true));
    put(by(`house-now-${what}`), 'textContent', loudnessWords(what, value));
    if (what !== 'chime') return;
    by('house-text-chime').hidden = !chimeHint(value);
    put(by('house-text-chime'), 'textContent', chimeHint(value));
  }

  #readySlider(what, slider) {
    const edit = () => this.#do(() => this.#house.edit(what, slider.valueAsNumber));
    const release = () => this.#house.setting(what).changed && this.#set(what, slider.valueAsNumber);
    slider.addEventListener('input', edit);
    slider.addEventListener('change', release);
    // A browser says nothing of a slider that is let go where it was before another owner moved it.
    slider.addEventListener('blur', release);
    slider.addEventListener('keydown', (event) => {
      const direction = DIRECTIONS[event.key];
      if (!direction || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      slider.value = slider.valueAsNumber + direction * STEP;
      edit();
      release();
    });
  }

  #takeBack(what) {
    this.#leaveButton(what);
    this.#set(what, null);
  }

  /** The button that was pressed goes, and the focus would go with it. */
  #leaveButton(what) {
    by(`house-${what}`).focus({ preventScroll: true });
  }

  #set(what, value) {
    this.#do(() => this.#house.set(what, value, clock()));
  }

  #wrong(what) {
    const why = this.#house.wrongAt(what);
    by(`house-wrong-${what}`).hidden = !why;
    put(by(`house-wrong-${what}`), 'textContent', why ? whyWords(why) : '');
  }

  #do(act) {
    act();
    this.#on.changed();
  }
}

/** A finding in words for the family; what was found, in English, is for whoever helps them. */
function card(finding, className) {
  const { title, text } = faultWords(finding);
  const item = make('li', className);
  const fold = make('details', '');
  fold.dataset.key = `${finding.about} ${finding.kind}`;
  const english = make('div', '');
  Object.assign(english, { lang: 'en', dir: 'ltr' });
  english.append(...[finding.what, finding.remedy].filter((one) => typeof one === 'string' && one).map((one) => make('p', '', one)));
  fold.append(make('summary', '', say('house.details')), make('p', 'hint', say('house.details-text')), english);
  item.append(make('b', '', title), make('p', '', text), ...(english.childElementCount ? [fold] : []));
  return item;
}
