// Home's picture and sound on the page: starts them as early as the browser allows and counts what is presented.

const FIRST_FRAME = 'intercom-first-frame';

/** Drives `video`. Calls `presented(count)` for frames and `changed()` when `sound` may have changed. */
export class Player {
  #video;
  #on;
  #wanted = true;
  #blocked = false;
  #lastTotal = 0;
  #shown = null;

  constructor(video, on) {
    this.#video = video;
    this.#on = on;
    // Nobody pauses home on purpose: a phone call or a pulled headset does, and then the picture must go on.
    video.addEventListener('pause', () => video.srcObject && this.resume());
    video.addEventListener('volumechange', () => this.#on.changed());
    if ('requestVideoFrameCallback' in video) this.#countFrames();
    else setInterval(() => this.#countTotal(), 250);
  }

  /** 'on', 'off' (the person wants it so) or 'blocked' (the browser waits for a tap). */
  get sound() {
    if (!this.#wanted) return 'off';
    return this.#blocked ? 'blocked' : 'on';
  }

  /** Shows `stream`; first.js may have begun with it. */
  show(stream) {
    if (this.#shown === stream) return;
    this.#shown = stream;
    this.#lastTotal = 0;
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
    // Refused already, and asking again would stop the picture.
    if (this.#wanted && this.#video.muted) this.#setBlocked(true);
    this.resume();
  }

  clear() {
    this.#shown = null;
    this.#video.srcObject = null;
  }

  /** Plays, with sound if it is wanted and allowed, else without. Call it again after any tap. */
  async resume() {
    const video = this.#video;
    if (!video.srcObject || document.visibilityState === 'hidden') return;
    video.muted = !this.#wanted || (this.#blocked && !navigator.userActivation?.hasBeenActive);
    try {
      await video.play();
      if (this.#wanted && !video.muted) this.#setBlocked(false);
    } catch (error) {
      // An AbortError only says that something newer has begun.
      if (error.name !== 'NotAllowedError') return;
      this.#setBlocked(true);
      if (video.muted) return;
      video.muted = true;
      video.play().catch(() => {});
    }
  }

  /** The person tapped, so the browser now allows sound. */
  allow() {
    if (!this.#blocked) return;
    this.#setBlocked(false);
    this.resume();
  }

  setSound(on) {
    this.#wanted = on;
    if (on) this.#blocked = false;
    this.resume();
    this.#on.changed();
  }

  #setBlocked(blocked) {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
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
