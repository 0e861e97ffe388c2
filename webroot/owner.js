// What an owner may do from a visit: joins what home says, the page about people and the cards of those who knock.
import { Door } from './door.js';
import { DoorCards } from './doorcards.js';
import { People } from './people.js';
import { PeoplePage } from './peoplepage.js';
import { doorWords } from './peoplewords.js';

const clock = () => performance.now();

export class Owner {
  #visit;
  #on;
  #people = new People();
  #door = new Door();
  #page = new PeoplePage(this.#people, { changed: () => this.#tell() });
  #cards = new DoorCards({ answer: (visit, letIn) => this.#answer(visit, letIn) });
  #open = document.getElementById('people-open');
  #allowed = false;
  #heard = false;
  #timer = 0;
  #doorTimer = 0;

  /** `on.call(words)` says in the title of a hidden tab that somebody knocks; null takes that back. */
  constructor(visit, on) {
    this.#visit = visit;
    this.#on = on;
    visit.addEventListener('told', ({ detail }) => this.#hear(detail));
    this.#open.addEventListener('click', () => this.#page.open());
    document.addEventListener('visibilitychange', () => this.#showDoor());
  }

  /** Follows the visit's `view`. */
  show({ role, entry, ended, welcomed }) {
    this.#allowed = role === 'owner' && entry === 'inside' && !ended;
    if (this.#heard && !welcomed) this.#people.lost();
    const turned = this.#heard !== welcomed;
    this.#heard = welcomed;
    this.#open.hidden = !this.#allowed || this.#people.denied;
    if (ended) this.#page.close();
    if (turned) this.#tell();
    this.#showDoor();
  }

  /** Says everything again, in the language that has come. */
  reword() {
    this.#page.render();
    this.#showDoor();
  }

  #hear(message) {
    const now = clock();
    const ofPeople = this.#people.hear(message, now);
    const ofDoor = this.#door.hear(message, now);
    if (ofPeople) this.#tell();
    if (ofDoor) this.#showDoor();
  }

  #tell() {
    clearTimeout(this.#timer);
    const now = clock();
    this.#people.look(now);
    for (const message of this.#people.due(now)) this.#visit.say(message);
    const wait = this.#people.wait(now);
    if (wait !== null) this.#timer = setTimeout(() => this.#tell(), wait + 20);
    this.#page.render();
  }

  #answer(visit, letIn) {
    if (!this.#visit.say(this.#door.answer(visit, letIn))) return;
    this.#showDoor();
  }

  #showDoor() {
    clearTimeout(this.#doorTimer);
    const now = clock();
    const waiting = this.#allowed ? this.#door.waiting(now) : [];
    this.#cards.show(waiting, this.#heard);
    this.#on.call(waiting.length && document.visibilityState === 'hidden' ? doorWords(waiting[0]) : null);
    const wait = this.#door.wait(now);
    if (wait !== null) this.#doorTimer = setTimeout(() => this.#showDoor(), wait + 20);
  }
}
