// Lines beside the picture that stay until they are read: low, and where no faces are.
import { say } from './words.js';

class Lines {
  #place = document.getElementById('lines');
  #shown = new Map();

  /**
   * Shows `text`, which may have several rows, as the line `name`, or takes that line away (null). `read()` is called when the person closes
   * it. It may have a `button`: `{ words, act }`.
   */
  show(name, text, read, button = null) {
    if (text === null) this.#remove(name);
    else {
      const line = this.#shown.get(name) ?? this.#make(name);
      Object.assign(line, { read, act: button?.act });
      line.button.hidden = !button;
      if (button && line.button.textContent !== button.words) line.button.textContent = button.words;
      if (line.said !== text) this.#write(line, text);
      line.close.setAttribute('aria-label', say('line.close'));
    }
    this.#place.hidden = !this.#shown.size;
  }

  /** Whether the line is there and nothing hides it: the page asks its questions in the same place. */
  isSeen(name) {
    return this.#shown.get(name)?.box.checkVisibility({ opacityProperty: true, visibilityProperty: true }) ?? false;
  }

  #make(name) {
    const make = (tag, className, more = {}) => Object.assign(document.createElement(tag), { className, ...more });
    const box = make('div', 'line');
    const text = make('p', '');
    const button = make('button', 'quiet', { type: 'button' });
    const close = make('button', 'round', { type: 'button' });
    // A second way to draw the cross would not follow the first.
    close.append(document.querySelector('#hide-self svg').cloneNode(true));
    const line = { box, text, button, close, read: null, act: null };
    button.addEventListener('click', () => line.act());
    close.addEventListener('click', () => {
      const { read } = line;
      this.show(name, null);
      read?.();
    });
    box.append(text, button, close);
    // A place that is not hidden is read aloud.
    this.#place.hidden = false;
    this.#place.append(box);
    this.#shown.set(name, line);
    return line;
  }

  #write(line, text) {
    line.said = text;
    line.text.replaceChildren(...text.split('\n').map((row) => Object.assign(document.createElement('span'), { textContent: row })));
  }

  #remove(name) {
    this.#shown.get(name)?.box.remove();
    this.#shown.delete(name);
  }
}

/** The lines of this page. */
export const lines = new Lines();
