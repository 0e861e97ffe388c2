// The visit log in the document: a page of the page about people. What is so, and what is told home, visits.js knows.
import { whyWords } from './peoplewords.js';
import { byDays, visitWords } from './visitwords.js';
import { locale, say } from './words.js';

const by = (id) => document.getElementById(id);

export class VisitsPage {
  #visits;
  #on;
  #sure = false;
  // What stands in the document: a list, in a language, on a day.
  #drawn = [];

  /** `on.changed()`: something may have to be told to home. */
  constructor(visits, on) {
    this.#visits = visits;
    this.#on = on;
    by('visits-erase').addEventListener('click', () => this.#ensure(true));
    by('visits-erase-no').addEventListener('click', () => this.#ensure(false));
    by('visits-erase-yes').addEventListener('click', () => {
      visits.erase();
      on.changed();
      this.#ensure(false);
    });
  }

  /** It opens or closes. */
  watch(watched) {
    this.#visits.watch(watched);
    this.#sure = false;
    this.#on.changed();
  }

  render() {
    const { list, erasing, wrong } = this.#visits;
    by('visits-wait').hidden = Boolean(list);
    by('visits-none').hidden = list?.length !== 0;
    const empty = !list?.length;
    // The button that was pressed is gone.
    if (empty && by('visits-part').contains(document.activeElement)) by('people-heading').focus({ preventScroll: true });
    by('visits-part').hidden = empty;
    by('visits-erase').hidden = this.#sure;
    by('visits-erase').setAttribute('aria-busy', String(erasing));
    by('visits-sure').hidden = !this.#sure;
    by('visits-wrong').hidden = !wrong;
    by('visits-wrong').textContent = wrong ? whyWords(wrong) : '';
    this.#draw(list ?? []);
  }

  #draw(list) {
    const now = Date.now();
    const drawn = [list, locale(), say('people.here'), new Date(now).toDateString()];
    if (list.length && drawn.every((one, at) => one === this.#drawn[at])) return;
    this.#drawn = drawn;
    by('visits-list').replaceChildren(...byDays(list, now).flatMap(({ day, visits }) => [make('h3', '', day), table(visits)]));
  }

  #ensure(sure) {
    this.#sure = sure;
    this.render();
    by(sure ? 'visits-sure-title' : 'visits-erase').focus();
    if (sure) by('visits-sure').scrollIntoView({ block: 'nearest' });
  }
}

function table(visits) {
  const rows = make('ul', '');
  rows.append(...visits.map((visit) => {
    const { time, who, unnamed, what, here } = visitWords(visit);
    const row = make('li', here ? 'here' : '');
    row.append(make('span', '', time), make('bdi', unnamed ? 'none' : '', who), make('small', '', what));
    return row;
  }));
  return rows;
}

function make(tag, className, text = '') {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}
