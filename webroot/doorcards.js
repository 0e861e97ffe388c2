// The cards of those who knock, in the document: an owner inside lets them in, or not now.
import { doorWords } from './peoplewords.js';
import { say } from './words.js';

export class DoorCards {
  #place = document.getElementById('door');
  #cards = new Map();
  #on;

  /** `on.answer(visit, letIn)`. */
  constructor(on) {
    this.#on = on;
  }

  /** Shows those who wait, in the order in which they came; they can be answered while home hears it (`open`). */
  show(waiting, open) {
    this.#place.hidden = !waiting.length;
    for (const [visit, card] of this.#cards) {
      if (waiting.some((knock) => knock.visit === visit)) continue;
      card.box.remove();
      this.#cards.delete(visit);
    }
    for (const knock of waiting) {
      const card = this.#cards.get(knock.visit) ?? this.#make(knock.visit);
      const words = [[card.who, doorWords(knock)], [card.letIn, say('door.let-in')], [card.notNow, say('decline.later')]];
      for (const [element, text] of words) if (element.textContent !== text) element.textContent = text;
      card.letIn.disabled = card.notNow.disabled = !open;
    }
  }

  #make(visit) {
    const make = (tag, more) => Object.assign(document.createElement(tag), more);
    const box = make('div', { className: 'knock' });
    const who = make('p', { id: `knock-${visit}` });
    const button = (className, letIn) => {
      const made = make('button', { type: 'button', className });
      made.setAttribute('aria-describedby', who.id);
      made.addEventListener('click', () => this.#on.answer(visit, letIn));
      return made;
    };
    const card = { box, who, notNow: button('quiet', false), letIn: button('primary', true) };
    const pair = make('div', { className: 'pair' });
    pair.append(card.notNow, card.letIn);
    box.append(who, pair);
    this.#place.append(box);
    this.#cards.set(visit, card);
    return card;
  }
}
