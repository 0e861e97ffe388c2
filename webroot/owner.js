// What an owner may do from a visit: joins what home says, the page about people and the cards of those who knock. It comes to owners
// only, behind the call.
import { Door } from './door.js';
import { DoorCards } from './doorcards.js';
import { House } from './house.js';
import { HousePage } from './housepage.js';
import { chooseLanguage, putWords } from './languages.js';
import { lines } from './lines.js';
import { News } from './news.js';
import { firstRole } from './owners.js';
import { People } from './people.js';
import { PeoplePage } from './peoplepage.js';
import { doorWords } from './peoplewords.js';
import { callTitle } from './title.js';
import { visit } from './visit.js';
import { Visits } from './visits.js';
import { VisitsPage } from './visitspage.js';
import { say } from './words.js';

// So often it is looked whether news that something hides can be seen.
const HIDDEN_MS = 1000;
const clock = () => performance.now();

class Owner {
  #people = new People();
  #door = new Door();
  #visits = new Visits();
  #news = new News();
  #house = new House(() => chooseLanguage(navigator.languages ?? [navigator.language]));
  #on = { changed: () => this.#tell() };
  #page = new PeoplePage(this.#people, { visits: new VisitsPage(this.#visits, this.#on), house: new HousePage(this.#house, this.#on) }, this.#on);
  #cards = new DoorCards({ answer: (number, letIn) => this.#answer(number, letIn) });
  #open = document.getElementById('people-open');
  #allowed = false;
  #heard = false;
  // Their role as home said it last, and what of it they are to read.
  #role = firstRole();
  #turn = null;
  #timer = 0;
  #doorTimer = 0;
  #newsTimer = 0;

  begin() {
    // The language may have come before this part of the document.
    putWords(say, undefined, document.getElementById('people'));
    visit.mail.owners.open((message) => this.#hear(message));
    visit.addEventListener('change', () => this.#show());
    this.#open.addEventListener('click', () => this.#page.open());
    document.getElementById('people').addEventListener('close', () => this.#showNews());
    document.addEventListener('visibilitychange', () => {
      this.#showDoor();
      this.#showNews();
    });
    addEventListener('reworded', () => {
      this.#page.render();
      this.#showDoor();
      this.#showTurn();
      this.#showNews();
    });
    this.#show();
  }

  #show() {
    const { role, entry, ended, welcomed } = visit.view();
    this.#allowed = role === 'owner' && entry === 'inside' && !ended;
    if (welcomed) this.#hearRole(role);
    else for (const part of [this.#people, this.#visits, this.#house, this.#news]) part.lost();
    const turned = this.#heard !== Boolean(welcomed);
    this.#heard = Boolean(welcomed);
    this.#open.hidden = !this.#allowed || this.#people.denied || !this.#page.able;
    if (ended && this.#page.close()) document.getElementById('return').focus();
    if (welcomed && role !== 'owner') this.#page.close();
    if (turned) this.#tell();
    this.#showDoor();
    this.#showNews();
  }

  /** Another owner may change it at any time. */
  #hearRole(role) {
    const [before, now] = [this.#role === 'owner', role === 'owner'];
    const first = this.#role === null;
    this.#role = role;
    for (const part of [this.#people, this.#house]) part.allow(now);
    if (first || before === now) return;
    this.#turn = now ? 'owner' : 'no-owner';
    this.#showTurn();
  }

  #showTurn() {
    lines.show('role', this.#turn && say(`line.${this.#turn}`), () => (this.#turn = null));
  }

  #showNews() {
    clearTimeout(this.#newsTimer);
    const now = Date.now();
    const show = () =>
      lines.show('news', this.#allowed ? this.#news.words(now) : null, () => {
        this.#news.read();
        this.#showNews();
      });
    show();
    // Under the page about people, and where the page asks something, nobody reads it.
    const seen = document.visibilityState === 'visible' && !document.querySelector('dialog[open]') && lines.isSeen('news');
    this.#news.look(now, this.#allowed && seen);
    show();
    // Nobody but an owner may say so, and who is none any more hears it with the socket's change.
    if (this.#allowed && this.#heard) for (const message of this.#news.due()) visit.say(message);
    const wait = this.#news.wait(now);
    if (wait !== null) this.#newsTimer = setTimeout(() => this.#showNews(), wait + 20);
    // What hides it goes without a word.
    else if (this.#allowed && !seen && this.#news.words(now)) this.#newsTimer = setTimeout(() => this.#showNews(), HIDDEN_MS);
  }

  #hear(message) {
    const now = clock();
    const ofPeople = this.#visits.hear(message) || this.#house.hear(message, now) || this.#people.hear(message, now);
    const ofDoor = this.#door.hear(message, now);
    if (ofPeople) this.#tell();
    if (ofDoor) this.#showDoor();
    if (this.#news.hear(message, Date.now())) this.#showNews();
  }

  #tell() {
    clearTimeout(this.#timer);
    const now = clock();
    for (const part of [this.#people, this.#house]) part.look(now);
    for (const message of [...this.#people.due(now), ...this.#visits.due(), ...this.#house.due(now)]) visit.say(message);
    const waits = [this.#people, this.#house].map((part) => part.wait(now)).filter((wait) => wait !== null);
    if (waits.length) this.#timer = setTimeout(() => this.#tell(), Math.min(...waits) + 20);
    this.#page.render();
  }

  #answer(number, letIn) {
    visit.say(this.#door.answer(number, letIn));
    this.#showDoor();
  }

  #showDoor() {
    clearTimeout(this.#doorTimer);
    const now = clock();
    const waiting = this.#allowed ? this.#door.waiting(now) : [];
    this.#cards.show(waiting, this.#heard);
    callTitle('door', waiting.length && document.visibilityState === 'hidden' ? doorWords(waiting[0]) : null);
    const wait = this.#door.wait(now);
    if (wait !== null) this.#doorTimer = setTimeout(() => this.#showDoor(), wait + 20);
  }
}

new Owner().begin();
