// The page about people in the document: fields, buttons and words. What is so, and what is told home, people.js knows.
import { defaultWords, hoursWords, linkWords, nameWords, otherHours, roleWords, rowWords, whyWords } from './peoplewords.js';
import { qrPath } from './qr.js';
import { isolated, say } from './words.js';

const SAID_MS = 2500;
const by = (id) => document.getElementById(id);

/** What is the same already is not written: a field keeps its cursor, a screen reader its peace. */
function put(element, what, value) {
  if (element[what] !== value) element[what] = value;
}

const write = (id, text) => put(by(id), 'textContent', text);

function make(tag, className, text = '') {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

export class PeoplePage {
  #dialog = by('people');
  #people;
  #visits;
  #house;
  #on;
  // 'list', 'house', 'hours', 'invite', 'link', 'person' or 'visits'; and whose, by number.
  #page = 'list';
  #number = null;
  // From which page a link was asked for, and with which name.
  #from = 'invite';
  #invitee = null;
  #sure = false;
  // Gone from under this owner's hands.
  #gone = false;
  #byHand = false;
  #rows = new Map();
  #saidTimer = 0;

  /** `visits` and `house` are the pages of the visit log and of home itself. `on.changed()`: something may have to be told to home. */
  constructor(people, { visits, house }, on) {
    this.#people = people;
    this.#visits = visits;
    this.#house = house;
    this.#on = on;
    const click = (id, act) => by(id).addEventListener('click', act);
    this.#dialog.addEventListener('close', () => this.#closed());
    this.#dialog.addEventListener('cancel', (event) => {
      if (this.#page === 'list') return;
      event.preventDefault();
      this.#back();
    });
    this.#dialog.addEventListener('click', (event) => this.#beside(event) && this.#page === 'list' && this.close());
    click('people-close', () => this.close());
    click('people-back', () => this.#back());
    for (const page of ['house', 'hours', 'invite', 'visits']) click(`people-${page}`, () => this.#go(page));
    for (const id of ['code-away', 'invite-code-away', 'person-code-away']) click(id, () => this.#do(() => people.showCode(false)));
    this.#readyInvite(click);
    this.#readyLink(click);
    this.#readyPerson(click);
    this.#readyHours('home', () => 'home');
    this.#saves('hours-form', () => 'home');
  }

  open() {
    if (this.#dialog.open) return;
    this.#people.watch(true);
    this.#house.watch(true);
    this.#dialog.showModal();
    // Nothing outside it can be pressed now.
    by('people-door').append(by('door'));
    this.#go('list');
    this.#on.changed();
  }

  /** Says whether it was open. */
  close() {
    const { open } = this.#dialog;
    if (open) this.#dialog.close();
    return open;
  }

  /** Whether this browser has dialogs. */
  get able() {
    return typeof this.#dialog.showModal === 'function';
  }

  /** Shows how things stand now. */
  render() {
    if (!this.#dialog.open) return;
    const people = this.#people;
    const list = people.list;
    if (people.invited?.answer && this.#page === this.#from) return this.#go('link');
    const person = this.#page === 'person' ? people.person(this.#number) : null;
    if (this.#page === 'person' && list && !person) {
      this.#gone = !this.#sure;
      return this.#go('list');
    }
    const shows = people.denied || !list ? null : this.#page;
    for (const page of this.#dialog.querySelectorAll('[data-page]')) page.hidden = page.dataset.page !== shows;
    by('people-back').hidden = this.#page === 'list';
    this.#tell(list);
    write('people-heading', this.#title(person));
    if (!shows) return;
    this.#renderList(list);
    this.#renderInvite();
    this.#renderLink();
    this.#visits.render();
    this.#house.render(this.#page === 'house');
    if (person) this.#renderPerson(person);
    this.#renderHours('home', people.home);
    this.#renderSave('home-save', people.home);
    this.#wrong('home-wrong-all', people.home.wrong?.at === 'all' ? people.home.wrong : null);
  }

  #tell(list) {
    const people = this.#people;
    const key = people.denied ? 'denied' : !people.open ? 'lost' : !list ? 'loading' : this.#gone && this.#page === 'list' ? 'gone' : null;
    by('people-tell').hidden = !key;
    write('people-tell', key ? say(`people.${key}`) : '');
  }

  #title(person) {
    if (this.#page === 'invite') return say('invite.title');
    if (['house', 'hours', 'visits'].includes(this.#page)) return say(`${this.#page}.title`);
    if (this.#page === 'link') return this.#link?.title ?? '';
    return person ? isolated(nameWords(person)) : say('people.title');
  }

  #renderList(list) {
    const now = Date.now();
    const place = by('people-list');
    for (const [number, row] of this.#rows) {
      if (list.some((person) => person.number === number)) continue;
      row.item.remove();
      this.#rows.delete(number);
    }
    for (const [at, person] of list.entries()) {
      const row = this.#rows.get(person.number) ?? this.#row(person.number);
      const { role, facts } = rowWords(person, now);
      put(row.initial, 'textContent', person.name?.trim() ? [...person.name.trim()][0].toLocaleUpperCase() : '?');
      row.initial.classList.toggle('here', person.here);
      put(row.name, 'textContent', nameWords(person));
      row.name.classList.toggle('none', !person.name?.trim());
      put(row.you, 'textContent', person.you ? say('people.you') : '');
      put(row.facts, 'textContent', [role, ...facts].join(' · '));
      if (place.children[at] !== row.item) place.insertBefore(row.item, place.children[at] ?? null);
    }
    const { codeShown, codeWrong, quietHours } = this.#people.home;
    // The button that was pressed goes.
    if (!codeShown && document.activeElement === by('code-away')) by('people-heading').focus({ preventScroll: true });
    by('code-shown').hidden = !codeShown;
    // Whoever asked for a code is back here before home answers.
    this.#wrong('code-wrong', codeWrong);
    write('people-hours-now', hoursWords(quietHours));
  }

  #row(number) {
    const item = make('li', '');
    const button = Object.assign(make('button', 'row person'), { type: 'button' });
    const initial = make('i', 'initial');
    initial.setAttribute('aria-hidden', 'true');
    const [name, you, facts] = [make('bdi', ''), make('em', ''), make('small', '')];
    const line = make('b', '');
    line.append(name, you);
    button.append(initial, line, facts);
    button.addEventListener('click', () => this.#go('person', number));
    item.append(button);
    const row = { item, button, initial, name, you, facts };
    this.#rows.set(number, row);
    return row;
  }

  #readyInvite(click) {
    const chosen = () => ({ name: by('invite-name').value, role: document.querySelector('input[name="invite-role"]:checked').value });
    by('invite-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const who = chosen();
      this.#ask('invite', who, who.name.trim() || null);
    });
    click('invite-code', () => {
      this.#do(() => this.#people.showCode(true, chosen()));
      this.#back();
    });
  }

  #renderInvite() {
    const { invited } = this.#people;
    const here = this.#from === 'invite' ? invited : null;
    this.#busy('invite-link', here?.asking);
    const wrong = here?.wrong ?? null;
    this.#wrong('invite-wrong-name', wrong?.at === 'name' ? wrong : null, 'invite-name');
    this.#wrong('invite-wrong-all', wrong?.at === 'all' ? wrong : null);
    this.#renderCode('invite-code', this.#people.showsCodeFor(null));
  }

  /** The button `id` that shows a code, or that the TV shows it; also where somebody else's code is there. */
  #renderCode(id, shown) {
    // The button that was pressed gives way to what it did.
    const pressed = document.activeElement === by(shown ? id : `${id}-away`);
    by(id).hidden = shown;
    by(`${id}-shown`).hidden = !shown;
    if (pressed) by(shown ? `${id}-away` : id).focus({ preventScroll: true });
  }

  #ask(from, who, name) {
    if (this.#people.invited?.asking) return;
    this.#from = from;
    this.#invitee = name;
    this.#do(() => this.#people.invite(who));
  }

  get #link() {
    const answer = this.#people.invited?.answer;
    return answer && { ...answer, ...linkWords({ ...answer, name: this.#invitee }, Date.now()) };
  }

  #readyLink(click) {
    click('link-share', () => navigator.share({ url: this.#link.link }).catch(() => {}));
    click('link-copy', () => this.#copy());
    by('link-field').addEventListener('focus', () => by('link-field').select());
  }

  #renderLink() {
    const link = this.#link;
    if (!link) return;
    write('link-text', link.text);
    put(by('link-field'), 'value', link.link);
    by('link-share').hidden = !navigator.share;
    by('link-copy').className = navigator.share ? 'quiet' : 'primary';
    by('link-by-hand').hidden = !this.#byHand;
    const code = qrPath(link.qr);
    by('link-qr').toggleAttribute('hidden', !code);
    if (!code) return;
    by('link-qr').setAttribute('viewBox', `0 0 ${code.size} ${code.size}`);
    by('link-path').setAttribute('d', code.path);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#link.link);
      this.#byHand = false;
      by('link-copy').textContent = say('link.copied');
      this.#say(say('link.copied'));
    } catch {
      this.#byHand = true;
      by('link-field').focus();
      by('link-field').select();
    }
    this.render();
  }

  /** For a moment, also aloud. */
  #say(text) {
    clearTimeout(this.#saidTimer);
    write('people-said', text);
    this.#saidTimer = setTimeout(() => {
      write('people-said', '');
      write('link-copy', say('link.copy'));
    }, SAID_MS);
  }

  #readyPerson(click) {
    const edit = (change) => this.#do(() => this.#people.edit(this.#number, change));
    by('person-name').addEventListener('input', () => edit({ name: by('person-name').value }));
    by('person-entering').addEventListener('change', () => edit({ entering: by('person-entering').value || null }));
    by('person-quiet').addEventListener('change', () => edit({ in_quiet_hours: by('person-quiet').value || null }));
    for (const choice of document.querySelectorAll('input[name="person-role"]')) choice.addEventListener('change', () => edit({ role: choice.value }));
    this.#readyHours('person', () => this.#number);
    this.#saves('person-form', () => this.#number);
    click('person-device', () => this.#ask('person', { person: this.#number }, this.#people.person(this.#number)?.name ?? null));
    click('person-code', () => this.#do(() => this.#people.showCode(true, { person: this.#number })));
    click('person-remove', () => this.#ensure(true));
    click('person-remove-no', () => this.#ensure(false));
    click('person-remove-yes', () => this.#do(() => this.#people.remove(this.#number)));
  }

  #renderPerson(person) {
    write('person-facts', rowWords(person, Date.now()).facts.join(' · '));
    put(by('person-name'), 'value', person.name ?? '');
    for (const choice of document.querySelectorAll('input[name="person-role"]')) put(choice, 'checked', choice.value === person.role);
    write('person-entering-default', defaultWords(person.role, 'entering'));
    write('person-quiet-default', defaultWords(person.role, 'in_quiet_hours'));
    put(by('person-entering'), 'value', person.entering ?? '');
    put(by('person-quiet'), 'value', person.in_quiet_hours ?? '');
    this.#renderHours('person', person);
    by('person-home-hours').hidden = person.hours.on;
    write('person-home-hours', otherHours(this.#people.home.quietHours));
    this.#renderSave('person-save', person);
    for (const at of ['name', 'role', 'all', 'remove']) {
      this.#wrong(`person-wrong-${at}`, person.wrong?.at === at ? person.wrong : null, at === 'name' ? 'person-name' : null);
    }
    const invited = this.#from === 'person' ? this.#people.invited : null;
    this.#busy('person-device', invited?.asking);
    const { codeWrong } = this.#people.home;
    this.#renderCode('person-code', this.#people.showsCodeFor(person.number));
    this.#wrong('person-wrong-device', invited?.wrong ?? (codeWrong?.person === person.number ? codeWrong : null));
    by('person-remove').hidden = this.#sure;
    by('person-sure').hidden = !this.#sure;
    write('person-sure-title', say('person.remove-sure', { name: isolated(nameWords(person)) }));
    write('person-sure-text', say(person.you ? 'person.remove-you' : 'person.remove-text'));
  }

  #ensure(sure) {
    this.#sure = sure;
    this.render();
    by(sure ? 'person-sure-title' : 'person-remove').focus();
    if (sure) by('person-sure').scrollIntoView({ block: 'nearest' });
  }

  /** Switch and times of `id`, which change the hours behind `key()`. */
  #readyHours(id, key) {
    const fields = ['hours', 'from', 'to'].map((one) => by(`${id}-${one}`));
    const edit = () => {
      const [on, from, to] = [fields[0].checked, fields[1].value, fields[2].value];
      this.#do(() => this.#people.edit(key(), { hours: { on, from, to } }));
    };
    for (const field of fields) field.addEventListener('input', edit);
  }

  #renderHours(id, { hours, wrong }) {
    put(by(`${id}-hours`), 'checked', hours.on);
    put(by(`${id}-from`), 'value', hours.from);
    put(by(`${id}-to`), 'value', hours.to);
    by(`${id}-times`).hidden = !hours.on;
    this.#wrong(`${id}-wrong-hours`, wrong?.at === 'hours' ? wrong : null, `${id}-from`);
  }

  #saves(form, key) {
    by(form).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#do(() => this.#people.save(key()));
    });
  }

  /** Not `disabled`: that would take the focus away from under the finger. */
  #renderSave(id, { changed, saving, saved }) {
    const before = by(id).textContent;
    write(id, say(changed ? 'people.save' : saving ? 'people.saving' : saved ? 'people.saved' : 'people.save'));
    by(id).setAttribute('aria-disabled', String(!changed));
    if (saved && !changed && !saving && before && before !== by(id).textContent) this.#say(say('people.saved'));
  }

  #busy(id, asking) {
    by(id).setAttribute('aria-busy', String(Boolean(asking)));
    by(id).setAttribute('aria-disabled', String(Boolean(asking)));
  }

  #wrong(id, wrong, field = null) {
    by(id).hidden = !wrong;
    write(id, wrong ? whyWords(wrong.why) : '');
    if (field) by(field).setAttribute('aria-invalid', String(Boolean(wrong)));
  }

  #do(act) {
    act();
    this.#on.changed();
    this.render();
  }

  #go(page, number = null) {
    if (page === 'invite') {
      by('invite-name').value = '';
      document.querySelector('input[name="invite-role"][value="family"]').checked = true;
      this.#from = 'invite';
    }
    if (page !== 'list') this.#gone = false;
    if (page !== 'list') this.#people.closeCode();
    this.#page = page;
    if (page !== 'link') this.#number = number;
    this.#sure = false;
    this.#byHand = false;
    this.#visits.watch(page === 'visits');
    // Home's quiet hours are a part of it.
    this.#house.show(page === 'house' || page === 'hours');
    this.render();
    this.#dialog.scrollTop = 0;
    by('people-heading').focus({ preventScroll: true });
  }

  #back() {
    const { number, page } = { number: this.#number, page: this.#page };
    if (page === 'link' || page === 'invite') this.#people.closeInvite();
    if (page === 'link' && this.#from === 'person' && this.#people.person(number)) return this.#go('person', number);
    if (this.#from === 'person') this.#people.closeInvite();
    this.#go(page === 'hours' ? 'house' : 'list');
    const opener = page === 'person' ? this.#rows.get(number)?.button : by(`people-${page}`);
    opener?.focus();
  }

  /** Whether a click is on none of it. A key's click has no place. */
  #beside({ target, clientX, clientY, detail }) {
    const { left, right, top, bottom } = this.#dialog.getBoundingClientRect();
    return target === this.#dialog && detail > 0 && (clientX < left || clientX > right || clientY < top || clientY > bottom);
  }

  #closed() {
    by('side').append(by('door'));
    for (const part of [this.#people, this.#visits, this.#house]) part.watch(false);
    this.#page = 'list';
    this.#gone = false;
    this.#on.changed();
  }
}
