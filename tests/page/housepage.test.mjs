// Home's page against a document of a few lines, which does with the focus what a browser does: a button that hides loses it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './webroot.mjs';

class Element extends EventTarget {
  dataset = {};
  classList = { toggle() {} };
  options = [];
  textContent = '';
  value = '';
  #hidden = false;

  get hidden() {
    return this.#hidden;
  }
  set hidden(hidden) {
    this.#hidden = hidden;
    if (hidden && document.activeElement === this) document.activeElement = document.body;
  }
  focus() {
    if (!this.hidden) document.activeElement = this;
  }
  append(...children) {
    this.options.push(...children);
  }
  replaceChildren() {}
  setAttribute() {}
  querySelectorAll() {
    return [];
  }
}

const elements = new Map();
const by = (id) => elements.get(id) ?? elements.set(id, new Element()).get(id);
globalThis.document = { body: new Element(), activeElement: null, getElementById: by, createElement: () => new Element() };
globalThis.Option = Element;
const { House } = await page('house.js');
const { HousePage } = await page('housepage.js');

const HOLDS = { name: 'Home', volume: 100, chime: 70, language: 'en' };
const NOTHING = { name: null, volume: null, chime: null, language: null };

/** Home's page, open, with `set` by an owner. */
function opened(set = {}) {
  elements.clear();
  const house = new House(() => 'en');
  let shown = null;
  const changed = () => shown?.render(true);
  shown = new HousePage(house, { changed });
  shown.watch(true);
  shown.show(true);
  house.hear({ type: 'welcome', resumed: false }, 0);
  house.hear({ type: 'home', set: { ...NOTHING, ...set }, holds: { ...HOLDS, ...set }, volume_least: 20, volume_most: 100, findings: [], notices: [] }, 0);
  changed();
  return house;
}

/** The button `id` is pressed, with the keyboard or a finger: it has the focus then. */
function press(id, target, event) {
  by(id).focus();
  assert.equal(document.activeElement, by(id), `${id} is there`);
  by(target).dispatchEvent(new Event(event, { cancelable: true }));
}

test('the focus is in the field once a name is saved, and not lost with the button', () => {
  const house = opened();
  by('house-name').value = 'Oma';
  by('house-name').dispatchEvent(new Event('input'));
  press('house-name-save', 'house-name-form', 'submit');
  assert.deepEqual([house.setting('name').saving, by('house-name-save').hidden], [true, true]);
  assert.equal(document.activeElement, by('house-name'));
});

test('the focus is at the control once the settings file counts again', () => {
  const house = opened({ name: 'Oma', volume: 80, chime: 0 });
  for (const what of ['name', 'volume', 'chime']) {
    press(`house-file-${what}`, `house-file-${what}`, 'click');
    assert.deepEqual([house.setting(what).own, by(`house-file-${what}`).hidden], [false, true], what);
    assert.equal(document.activeElement, by(`house-${what}`), what);
  }
});
