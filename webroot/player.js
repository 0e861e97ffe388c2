// Home's picture and sound on the page: starts them as early as the browser allows and counts what is presented.

const FIRST_FRAME = 'intercom-first-frame';

/** Drives `video`. Calls `presented(count)` for frames and `changed()` when `sound` or `refused` may have changed. */
export class Player {
  #video;
  #on;
  #wanted = true;
  #blocked = false;
  // Not even a silent picture plays before a tap.
  #refused = false;
  // Each answer of the browser counts only until it is asked again.
  #attempts = 0;
  #lastTotal = 0;
  #shown = null;

  constructor(video, on) {
    this.#video = video;
    this.#on = on;
    // Nobody pauses home on purpose: a phone call or a pulled headset does, and then the picture must go on.
    video.addEventListener('pause', () => video.srcObject && !this.#refused && this.resume());
    video.addEventListener('volumechange', () => this.#on.changed());
    if ('requestVideoFrameCallback' in video) this.#countFrames();
    else setInterval(() => this.#countTotal(), 250);
  }

  /** 'on', 'off' (the person wants it so) or 'blocked' (the browser waits for a tap). */
  get sound() {
    if (!this.#wanted) return 'off';
    return this.#blocked ? 'blocked' : 'on';
  }

  /** The browser plays nothing at all before a tap: an iPhone in Low Power Mode, or a Firefox that blocks silent pictures too. */
  get refused() {
    return this.#refused;
  }

  /** Shows `stream`; first.js may have begun with it. */
  show(stream) {
    if (this.#shown === stream) return;
    this.#shown = stream;
    this.#lastTotal = 0;
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
    // Refused already, and asking again would stop the picture.
    if (this.#wanted && this.#video.muted) this.#set({ blocked: true });
    this.resume();
  }

  clear() {
    this.#shown = null;
    this.#attempts += 1;
    this.#video.srcObject = null;
    this.#set({ refused: false });
  }

  /** Plays, with sound if it is wanted and allowed, else without. Call it again after any tap. */
  async resume() {
    const video = this.#video;
    if (!video.srcObject || document.visibilityState === 'hidden') return;
    video.muted = !this.#wanted || (this.#blocked && !navigator.userActivation?.hasBeenActive);
    this.#attempts += 1;
    const attempt = this.#attempts;
    let answer = await play(video);
    if (attempt !== this.#attempts) return;
    if (answer === 'refused' && !video.muted) {
      this.#set({ blocked: true });
      video.muted = true;
      answer = await play(video);
      if (attempt !== this.#attempts) return;
    }
    if (answer === 'refused') this.#set({ blocked: this.#wanted, refused: true });
    if (answer === 'plays') this.#set({ blocked: this.#blocked && video.muted, refused: false });
  }

  /** The person tapped, so the browser now allows sound. */
  allow() {
    if (this.#blocked || this.#refused) this.tap();
  }

  /** The person tapped to see and hear home. Not every event of one tap is one for the browser: each is tried. */
  tap() {
    this.#set({ blocked: false });
    this.resume();
  }

  setSound(on) {
    this.#wanted = on;
    if (on) this.#blocked = false;
    this.resume();
    this.#on.changed();
  }

  #set({ blocked = this.#blocked, refused = this.#refused }) {
    if (this.#blocked === blocked && this.#refused === refused) return;
    this.#blocked = blocked;
    this.#refused = refused;
    this.#on.changed();
  }

  #countFrames() {
    this.#video.requestVideoFrameCallback(() => {
      // Unless first.js saw it already.
      if (!performance.getEntriesByName(FIRST_FRAME).length) performance.mark(FIRST_FRAME);
      this.#on.presented(1);
      this.#countFrames();
    });
  }

  #countTotal() {
    const total = this.#video.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
    if (total > this.#lastTotal) this.#on.presented(total - this.#lastTotal);
    this.#lastTotal = total;
  }
}

/** 'plays', 'refused' (the browser wants a tap first), or null where something newer has begun. */
async function play(video) {
  try {
    await video.play();
    return 'plays';
  } catch (error) {
    return error.name === 'NotAllowedError' ? 'refused' : null;
  }
}
